package ipallow

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/conf"
)

// file is a tenant file with a main file's sets above it.
type file struct {
	Main   conf.Map[SetSpec] `conf:"main"`
	Sets   conf.Map[SetSpec] `conf:"sets"`
	Access *AccessSpec       `conf:"access"`
	Inner  *AccessSpec       `conf:"inner"`
}

// load compiles a file. now is never asked; whatever fails to decode is left
// out.
func load(text string) (outer, inner *Access, r *conf.Report) {
	r = new(conf.Report)
	var f file
	conf.Decode("t.yaml", []byte(text), &f, r)
	sets := CompileSets(f.Sets, CompileSets(f.Main, nil, r), r)
	outer, inner = CompileAccess(f.Access, sets, r), CompileAccess(f.Inner, sets, r)
	new(Nesting).Check(outer, inner, r)
	return outer, inner, r
}

// findings writes a report as an operator sees it.
func findings(r *conf.Report) string {
	var b strings.Builder
	for _, f := range r.Findings() {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

const offices = `
main:
  our-noc: [192.0.2.10, "2001:db8:10::/48"]
  nobody: []
sets:
  offices:
    owner: it@acme.example
    entries:
      - {ip: 203.0.113.0/28, why: head office}
      - {ip: 198.51.100.7, why: auditor, until: 2027-01-31}
access:
  allow: [set:offices, set:our-noc, 10.1.0.0/16, {ip: "set:nobody", until: 2026-01-01}]
  except: [203.0.113.9]
  refuse_with: 404
`

func at(day string) int64 {
	t, err := time.Parse(time.DateTime, day)
	if err != nil {
		panic(err)
	}
	return t.Unix()
}

func TestAccess(t *testing.T) {
	c, _, r := load(offices)
	if got := findings(r); got != "" {
		t.Fatalf("findings:\n%s", got)
	}
	for _, test := range []struct {
		from string
		now  int64
		want bool
		why  string
		line int
	}{
		{"203.0.113.5", 0, true, "allowed by 203.0.113.0/28 of set:offices (head office)", 9},
		{"::ffff:203.0.113.5", 0, true, "allowed by 203.0.113.0/28 of set:offices (head office)", 9},
		{"203.0.113.9", 0, false, "excepted by 203.0.113.9", 13},
		{"203.0.113.16", 0, false, "no entry of allow covers the address", 12},
		{"198.51.100.7", 0, true, "allowed by 198.51.100.7 of set:offices (auditor) until 2027-01-31", 10},
		{"198.51.100.7", at("2027-01-31 23:59:59"), true, "allowed by 198.51.100.7 of set:offices (auditor) until 2027-01-31", 10},
		{"198.51.100.7", at("2027-02-01 00:00:00"), false, "allowed by 198.51.100.7 of set:offices (auditor) until 2027-01-31, which has passed", 10},
		{"192.0.2.10", 0, true, "allowed by 192.0.2.10 of set:our-noc", 3},
		{"2001:db8:10:ff::1", 0, true, "allowed by 2001:db8:10::/48 of set:our-noc", 3},
		{"10.1.255.1", 0, true, "allowed by 10.1.0.0/16", 12},
	} {
		a := netip.MustParseAddr(test.from)
		got := c.Explain(a, test.now)
		if got.Admitted != test.want || c.Admits(a, test.now) != test.want {
			t.Errorf("%s at %d: admitted %v and %v, want %v", test.from, test.now, c.Admits(a, test.now), got.Admitted, test.want)
		}
		if got.String() != test.why || got.Pos.Line != test.line {
			t.Errorf("%s at %d: %q at %v, want %q in line %d", test.from, test.now, got, got.Pos, test.why, test.line)
		}
	}
	if how, set := c.RefuseWith(); how != Refuse404 || !set {
		t.Errorf("RefuseWith = %v, %v, want 404, true", how, set)
	}
	next, ok := c.NextUntil(time.Unix(0, 0))
	if want := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC); ok && next.Equal(want) {
		t.Errorf("NextUntil = %v: a set without entries has no end", next)
	}
	if want := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC); !ok || !next.Equal(want) {
		t.Errorf("NextUntil = %v, %v, want %v", next, ok, want)
	}
	if _, ok := c.NextUntil(next); ok {
		t.Error("NextUntil after the last end found another")
	}
}

func TestAccessWithoutRule(t *testing.T) {
	var c *Access
	got := c.Explain(netip.MustParseAddr("192.0.2.1"), 0)
	if !c.Admits(netip.MustParseAddr("192.0.2.1"), 0) || !got.Admitted || got.Cause != NoRule {
		t.Errorf("a level without a rule: %+v", got)
	}
	if _, set := c.RefuseWith(); set {
		t.Error("a level without a rule says how to refuse")
	}
}

func TestMentionOfSetEndsForItsListOnly(t *testing.T) {
	outer, inner, r := load(`
sets: {guests: [192.0.2.0/24]}
access: {allow: ["set:guests"]}
inner: {allow: [{ip: "set:guests", until: 2026-03-01, why: fair}]}
`)
	if got := findings(r); got != "" {
		t.Fatalf("findings:\n%s", got)
	}
	a := netip.MustParseAddr("192.0.2.1")
	after := at("2026-03-02 00:00:00")
	if !outer.Admits(a, after) || inner.Admits(a, after) || !inner.Admits(a, after-1) {
		t.Error("the end of a mention must hold in its list, and there alone")
	}
	if got := inner.Explain(a, after-1).String(); got != "allowed by 192.0.2.0/24 of set:guests (fair) until 2026-03-01" {
		t.Errorf("explained as %q", got)
	}
}

func TestSetsAreShared(t *testing.T) {
	outer, inner, _ := load("main: {a: [192.0.2.0/24]}\naccess: {allow: ['set:a']}\ninner: {allow: ['set:a', 192.0.2.1]}")
	if outer.allow.parts[0].table != inner.allow.parts[1].table {
		t.Error("two lists hold copies of one set")
	}
}

// TestSetsAreReused holds sets that are compiled again to the memory of the
// first time, as long as they are written just the same.
func TestSetsAreReused(t *testing.T) {
	compile := func(text string) *Sets {
		var f file
		r := new(conf.Report)
		conf.Decode("t.yaml", []byte(text), &f, r)
		return CompileSets(f.Sets, nil, r)
	}
	first := compile("sets:\n  a: [192.0.2.1]\n  b: [192.0.2.2]\n  c: [{ip: 192.0.2.3, why: x}]\n  d: [192.0.2.4]")
	second := compile("sets:\n  a: [192.0.2.1]\n  b: [192.0.2.9]\n  c: [{ip: 192.0.2.3, why: y}]\n\n  d: [192.0.2.4]")
	reusing := second.Reusing(first)
	for name, want := range map[string]*group{"a": first.lookup("a"), "b": second.lookup("b"), "c": second.lookup("c"), "d": second.lookup("d")} {
		if reusing.lookup(name) != want {
			t.Errorf("set %q is not the one that was expected", name)
		}
	}
	if second.lookup("a") == first.lookup("a") || second.Reusing(nil) != second {
		t.Error("Reusing changes what it is called on")
	}
}

func TestFindings(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nobody is fine", `access: {allow: []}`, ""},
		{"nothing", `access: {refuse_with: 403}`, `t.yaml:1:9: none of the keys "allow" and "public" is written; expected one
    hint: write it like allow: [set:offices, 198.51.100.7]
`},
		{"public", `access: {public: "marketing site", except: [192.0.2.1]}`, ""},
		{"public without reason", `access: {public: " "}`, `t.yaml:1:18: public is " "; expected the reason for which everybody is admitted
    hint: write it like public: "marketing site"; to admit nobody, write allow: []
`},
		{"public as a switch", `access: {public: false}`, `t.yaml:1:18: public is "false"; expected the reason for which everybody is admitted
    hint: write it like public: "marketing site"; to admit nobody, write allow: []
`},
		{"wide as a switch", `access: {allow: [10.0.0.0/7], wide: yes}`, `t.yaml:1:37: wide is "yes"; expected the reason for which allow covers so much
`},
		{"entry without ip", `access: {allow: [{why: x}]}`, `t.yaml:1:18: required key "ip" is missing
    hint: write it like ip: 203.0.113.0/28
`},
		{"set without its mark", "sets: {offices: []}\naccess: {allow: [offices]}", `t.yaml:2:18: "offices" is not an address range; write it like 10.1.2.0/24
    hint: did you mean "set:offices"?
`},
		{"public and allow", `access: {public: site, allow: [192.0.2.1]}`, `t.yaml:1:9: "allow" and "public" stand together; expected only one of them
`},
		{"public and wide", `access: {public: site, wide: why}`, `t.yaml:1:30: wide stands beside public at t.yaml:1:18; it belongs to allow
    hint: remove it
`},
		{"wide", `access: {allow: [10.0.0.0/7]}`, `t.yaml:1:17: allow covers more than a /8, or more than a /20 of IPv6; expected the networks of those who may come in
    hint: if that is meant, add wide: REASON beside allow; to admit everybody, write public: REASON instead
`},
		{"wide with reason", `access: {allow: [10.0.0.0/7], wide: "the carrier"}`, ""},
		{"wide without reason", `access: {allow: [10.0.0.0/7], wide: ""}`, `t.yaml:1:37: wide is ""; expected the reason for which allow covers so much
`},
		{"refuse_with", `access: {allow: [], refuse_with: 402}`, `t.yaml:1:34: "402" is unknown; expected "403", "404" or "handshake"
    hint: did you mean "403"?
`},
		{"prefix", `access: {allow: [203.0.113.9/28, 10.1.2.4-10.1.2.7]}`, `t.yaml:1:18: "203.0.113.9/28" has bits beyond its length; write 203.0.113.0/28
t.yaml:1:34: "10.1.2.4-10.1.2.7" is written from-to; expected an address or a network like 10.1.2.0/24
    hint: write its networks: 10.1.2.4/30
`},
		{"unknown set", "sets: {offices: []}\naccess: {allow: [set:ofices, set:lb]}", `t.yaml:2:18: there is no set "ofices"; expected the name of a set of this file or of the main file
    hint: did you mean "set:offices"?
t.yaml:2:30: there is no set "lb"; expected the name of a set of this file or of the main file
    hint: add it below "sets"
`},
		{"set in set", `sets: {a: [192.0.2.1], b: [set:a]}`, `t.yaml:1:28: set "b" names "set:a"; a set holds addresses and networks
    hint: name both sets where they are used
`},
		{"set name", `sets: {"our noc": []}`, `t.yaml:1:8: "our noc" cannot name a set; a name is up to 63 letters, digits, hyphens, underscores and dots, and begins with a letter or digit
`},
		{"hidden set", "main: {a: []}\nsets: {a: []}", `t.yaml:2:8: note: set "a" hides the main file's set of the same name in this file
`},
		{"twice", `sets: {a: [192.0.2.1, 192.0.2.0/24, 192.0.2.1/32]}`, `t.yaml:1:37: warning: 192.0.2.1 is listed at t.yaml:1:12 as well
    hint: remove one of the two
`},
		{"date", `access: {allow: [{ip: 192.0.2.1, until: 2026-02-30}]}`, `t.yaml:1:41: "2026-02-30" is not in the calendar; write a day like "2027-01-31"
`},
	} {
		_, _, r := load(test.text)
		if diff := cmp.Diff(test.want, findings(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestAllowBesidePublicIsAList(t *testing.T) {
	c, _, _ := load(`access: {public: site, allow: [192.0.2.1]}`)
	if _, public := c.Public(); public || c.Admits(netip.MustParseAddr("192.0.2.2"), 0) {
		t.Error("a contradiction admits everybody")
	}
	c, _, _ = load(`access: {refuse_with: 403}`)
	if c.Admits(netip.MustParseAddr("192.0.2.2"), 0) {
		t.Error("an access that says nothing admits somebody")
	}
}

func TestTooManyParts(t *testing.T) {
	var b strings.Builder
	b.WriteString("access:\n  allow:\n")
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxParts {
		fmt.Fprintf(&b, "    - {ip: 10.0.%d.%d, until: %s}\n", i>>8, i&255, day.AddDate(0, 0, i).Format(time.DateOnly))
	}
	if _, _, r := load(b.String()); r.Faults() != 0 {
		t.Errorf("%d dates:\n%s", maxParts, findings(r))
	}
	b.WriteString("    - 10.1.1.1\n")
	want := `t.yaml:3:5: the list has more than 400 parts, one for each set, each day on which entries end, and each live source
    hint: remove entries whose day has passed, or put sets together
`
	if _, _, r := load(b.String()); findings(r) != want {
		t.Errorf("got\n%s\nwant\n%s", findings(r), want)
	}
}

// A list in which a set stands ten thousand times must not hold its networks
// as often: that is how a small file fills the memory.
func TestSetNamedTwice(t *testing.T) {
	outer, _, r := load(`sets: {a: [192.0.2.1]}
access: {allow: [{ip: "set:a", until: 2026-01-01}, "set:a", {ip: "set:a", until: 2027-01-01}]}`)
	want := `t.yaml:2:52: warning: "set:a" is listed at t.yaml:2:23 as well
    hint: remove one of the two
t.yaml:2:66: warning: "set:a" is listed at t.yaml:2:52 as well
    hint: remove one of the two
`
	if diff := cmp.Diff(want, findings(r)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got := len(outer.allow.members); got != 1 {
		t.Errorf("the list has %d members, want 1", got)
	}
	if !outer.Admits(netip.MustParseAddr("192.0.2.1"), at("2030-01-01 00:00:00")) {
		t.Error("the mention without a date does not count")
	}
}

func TestTooManySets(t *testing.T) {
	var b strings.Builder
	b.WriteString("sets:\n")
	for i := range maxParts + 100 {
		fmt.Fprintf(&b, "  s%d: []\n", i)
	}
	b.WriteString("access:\n  allow:\n")
	for i := range maxParts + 100 {
		fmt.Fprintf(&b, "    - set:s%d\n", i)
	}
	outer, _, r := load(b.String())
	if r.Faults() != 1 || !strings.Contains(findings(r), "the list has more than 400 parts") {
		t.Errorf("findings = %s", findings(r))
	}
	if got := len(outer.allow.members); got != maxParts {
		t.Errorf("the list has %d members, want %d", got, maxParts)
	}
}

// Hints are worked out for the findings that are kept, no more.
func TestMisspelledSetsAreCheap(t *testing.T) {
	var specs conf.Map[SetSpec]
	var entries conf.List[EntrySpec]
	for i := range 100 {
		specs = append(specs, conf.Entry[SetSpec]{Key: fmt.Sprintf("%060d", i)})
	}
	for i := range 2000 {
		at := conf.Pos{File: "t.yaml", Line: i + 1, Col: 1}
		entries.Items = append(entries.Items, conf.At[EntrySpec]{V: EntrySpec{IP: conf.At[string]{V: fmt.Sprintf("set:x%060d", i), Pos: at}}})
	}
	r := new(conf.Report)
	sets := CompileSets(specs, nil, r)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	sets.Compile(entries, r)
	runtime.ReadMemStats(&after)
	if got, most := (after.TotalAlloc-before.TotalAlloc)>>20, uint64(64); got > most {
		t.Errorf("%d faults took %d MiB, want at most %d", r.Faults(), got, most)
	}
}

func TestNarrower(t *testing.T) {
	const gap = `, so it is refused
    hint: add it to the wider allow, or remove it here
`
	for _, test := range []struct{ name, text, want string }{
		{"within", "access: {allow: [10.0.0.0/8]}\ninner: {allow: [10.1.0.0/16, 10.2.3.4]}", ""},
		{"equal halves", "access: {allow: [10.0.0.0/9, 10.128.0.0/9]}\ninner: {allow: [10.0.0.0/8]}", ""},
		{
			"outside", "access: {allow: [10.0.0.0/8]}\ninner: {allow: [192.0.2.0/24]}",
			"t.yaml:2:17: 192.0.2.0/24 is not covered by the wider access at t.yaml:1:9" + gap,
		},
		{
			"in part", "access: {allow: [10.0.0.0/9]}\ninner: {allow: [10.0.0.0/8]}",
			"t.yaml:2:17: 10.0.0.0/8, of which 10.128.0.0/9 is not covered by the wider access at t.yaml:1:9" + gap,
		},
		{
			"own set", "sets: {a: [192.0.2.1, 192.0.2.2]}\naccess: {allow: []}\ninner: {allow: ['set:a']}",
			"t.yaml:3:17: 192.0.2.1 of set:a is not covered by the wider access at t.yaml:2:9" + gap,
		},
		{
			"shared set", "main: {a: [192.0.2.1]}\naccess: {allow: []}\ninner: {allow: ['set:a']}",
			"t.yaml:3:17: warning: 192.0.2.1 of set:a is not covered by the wider access at t.yaml:2:9" + gap,
		},
		{"same set", "main: {a: [192.0.2.1]}\naccess: {allow: ['set:a']}\ninner: {allow: ['set:a']}", ""},
		{"dates are left aside", "access: {allow: [{ip: 192.0.2.1, until: 2020-01-01}]}\ninner: {allow: [192.0.2.1]}", ""},
		{"except is left aside", "access: {allow: [192.0.2.1], except: [192.0.2.1]}\ninner: {allow: [192.0.2.1]}", ""},
		{"public outside", "access: {public: site}\ninner: {allow: [192.0.2.1]}", ""},
		{"public inside", "access: {allow: [192.0.2.1]}\ninner: {public: site}", ""},
		{"mapped", "access: {allow: [192.0.2.0/24]}\ninner: {allow: ['::ffff:192.0.2.1']}", ""},
		{
			"families", "access: {allow: ['::/0'], wide: all}\ninner: {allow: [192.0.2.1]}",
			"t.yaml:2:17: 192.0.2.1 is not covered by the wider access at t.yaml:1:9" + gap,
		},
	} {
		outer, inner, r := load(test.text)
		if diff := cmp.Diff(test.want, findings(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		again := new(conf.Report)
		new(Nesting).Warn(outer, inner, again)
		if again.Faults() > 0 {
			t.Errorf("%s: Warn records faults:\n%s", test.name, findings(again))
		}
	}
}

// TestNestingIsCheap holds the comparison of many routes, which one file may
// write, to work that nobody notices: what is costly about a list is worked out
// once.
func TestNestingIsCheap(t *testing.T) {
	var wide, narrow strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&wide, "10.%d.%d.%d,", i>>16, i>>8&255, i&255)
	}
	for range 2000 {
		narrow.WriteString("10.0.0.0/18, ")
	}
	outer, _, _ := load("access: {allow: [" + wide.String() + "]}")
	_, inner, _ := load("inner: {allow: [" + narrow.String() + "]}")
	var n Nesting
	r := new(conf.Report)
	for range 500 { // as many levels, none of them equal
		n.Check(outer, &Access{allow: inner.allow}, r)
	}
	if len(n.unions) != 1 || r.Faults() > 0 {
		t.Errorf("%d lists were unfolded, with %d faults; want 1 and none", len(n.unions), r.Faults())
	}
	gap := func() *Access { _, a, _ := load("inner: {allow: [192.0.2.1]}"); return a }
	for range 2 * gapsMost {
		n.Check(outer, gap(), r)
	}
	if r.Faults() == 0 || r.Faults() > gapsMost {
		t.Errorf("%d faults, want no more than %d", r.Faults(), gapsMost)
	}
}

func TestEverybody(t *testing.T) {
	for text, want := range map[string]bool{
		`{public: site}`:                                               true,
		`{allow: []}`:                                                  false,
		`{allow: [0.0.0.0/0], wide: x y}`:                              true,
		`{allow: [0.0.0.0/1, 128.0.0.0/2], wide: x y}`:                 true,
		`{allow: [0.0.0.0/1], wide: x y}`:                              false,
		`{allow: ["2000::/4", "3000::/6"], wide: x y}`:                 true,
		`{allow: ["2001::/16"], wide: x y}`:                            false,
		`{allow: [0.0.0.0/1, 0.0.0.0/2, 64.0.0.0/2], wide: "overlap"}`: false,
	} {
		c, _, r := load("access: " + text)
		if got := c.Everybody(); got != want || r.Faults() > 0 {
			t.Errorf("Everybody of %s = %v, want %v; %s", text, got, want, findings(r))
		}
	}
}

// TestNotesStayOnTheirLine keeps a tenant's note from writing to a terminal.
func TestNotesStayOnTheirLine(t *testing.T) {
	c, _, _ := load(`access: {allow: [{ip: 192.0.2.1, why: "a\e[2J\nb"}]}`)
	if got, want := c.Explain(netip.MustParseAddr("192.0.2.1"), 0).String(), `allowed by 192.0.2.1 ("a\x1b[2J\nb")`; got != want {
		t.Errorf("explained as %q, want %q", got, want)
	}
}

func TestAccessDigest(t *testing.T) {
	base, _, _ := load(`access: {allow: [192.0.2.1]}`)
	for text, same := range map[string]bool{
		`access: {allow: [192.0.2.1/32]}`:                       true,
		`access: {allow: [{ip: 192.0.2.1, why: x}]}`:            true,
		`access: {allow: [192.0.2.2]}`:                          false,
		`access: {allow: [192.0.2.1], except: [192.0.2.1]}`:     false,
		`access: {allow: [192.0.2.1], refuse_with: 404}`:        false,
		`access: {allow: [{ip: 192.0.2.1, until: 2026-01-01}]}`: false,
		`access: {public: site}`:                                false,
	} {
		c, _, _ := load(text)
		if got := c.Digest() == base.Digest(); got != same {
			t.Errorf("%s: same digest %v, want %v", text, got, same)
		}
	}
}

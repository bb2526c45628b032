package ipallow

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
)

const liveSets = `
main:
  cloud: ["2001:db8:1::/48", {url: "https://lists.example/cloud.txt?token=s3cret", max: 50000, why: "the cloud"}]
sets:
  vpn: [203.0.113.9, {dns: vpn.acme.example, refresh: 5m, keep: 24h, max: 4}, {file: lists/extra.txt, until: 2027-01-31}]
access:
  allow: [set:vpn, set:cloud]
`

// knownOf says what sources list, by their text.
func knownOf(t *testing.T, sources []*Source, lists map[string]string) *Live {
	t.Helper()
	known := make(map[SourceID]Known)
	for _, s := range sources {
		text, ok := lists[s.String()]
		if !ok {
			continue
		}
		text, past := strings.CutPrefix(text, "past ")
		var prefixes []netip.Prefix
		for word := range strings.FieldsSeq(text) {
			prefixes = append(prefixes, netip.MustParsePrefix(word))
		}
		contents, err := NewContents(prefixes)
		if err != nil {
			t.Fatal(err)
		}
		known[s.ID()] = Known{contents, past}
	}
	return NewLive(known)
}

func TestLive(t *testing.T) {
	access, _, r := load(liveSets)
	if r.Faults() > 0 {
		t.Fatal(findings(r))
	}
	live := knownOf(t, access.Sources(), map[string]string{
		"dns vpn.acme.example":                "198.51.100.7/32",
		"file lists/extra.txt":                "192.0.2.0/24 203.0.113.8/29",
		"url https://lists.example/cloud.txt": "past 2001:db8:2::/48",
	})
	inTime := time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC).Unix()
	for _, c := range []struct {
		address string
		now     int64
		live    *Live
		want    string
	}{
		{"203.0.113.9", 0, nil, "true allowed by 203.0.113.9 of set:vpn t.yaml:5"},
		{"203.0.113.9", 0, live, "true allowed by 203.0.113.9 of set:vpn t.yaml:5"},
		{"203.0.113.10", 0, live, "true allowed by 203.0.113.8/29 of set:vpn by file lists/extra.txt until 2027-01-31 t.yaml:5"},
		{"198.51.100.7", 0, live, "true allowed by 198.51.100.7 of set:vpn by dns vpn.acme.example t.yaml:5"},
		{"::ffff:198.51.100.7", 0, live, "true allowed by 198.51.100.7 of set:vpn by dns vpn.acme.example t.yaml:5"},
		{"192.0.2.7", inTime, live, "true allowed by 192.0.2.0/24 of set:vpn by file lists/extra.txt until 2027-01-31 t.yaml:5"},
		{"192.0.2.7", inTime + 3600, live, "false no entry of allow covers the address; what url https://lists.example/cloud.txt listed is kept too long to admit t.yaml:7"},
		{"2001:db8:2::1", 0, live, "false no entry of allow covers the address; what url https://lists.example/cloud.txt listed is kept too long to admit t.yaml:7"},
		{"198.51.100.7", 0, nil, "false no entry of allow covers the address; what dns vpn.acme.example and file lists/extra.txt and url https://lists.example/cloud.txt lists is not known t.yaml:7"},
	} {
		m := Moment{Now: c.now, Live: c.live}
		a := netip.MustParseAddr(c.address)
		e := access.ExplainAt(a, m)
		at, _, _ := strings.Cut(e.Pos.String()[len("t.yaml:"):], ":")
		got := strings.TrimSpace(map[bool]string{true: "true ", false: "false "}[e.Admitted] + e.String() + " t.yaml:" + at)
		want := strings.Replace(c.want, "t.yaml:7", "t.yaml:"+strings.Split(access.Pos().String(), ":")[1], 1)
		if got != want {
			t.Errorf("%s: got %q, want %q", c.address, got, want)
		}
		if access.AdmitsAt(a, m) != e.Admitted {
			t.Errorf("%s: AdmitsAt differs from ExplainAt", c.address)
		}
	}
}

// TestLiveRefuses: what is too old to admit goes on to refuse.
func TestLiveRefuses(t *testing.T) {
	access, _, r := load("sets: {bad: [{dns: bad.example}]}\naccess: {public: \"a shop\", except: [set:bad]}\n")
	if r.Faults() > 0 {
		t.Fatal(findings(r))
	}
	a := netip.MustParseAddr("203.0.113.5")
	for text, admitted := range map[string]bool{"203.0.113.5/32": false, "past 203.0.113.5/32": false, "203.0.113.6/32": true} {
		live := knownOf(t, access.Sources(), map[string]string{"dns bad.example": text})
		if got := access.AdmitsAt(a, Moment{Live: live}); got != admitted {
			t.Errorf("%s: admitted = %v", text, got)
		}
	}
	most, least := Bounds()
	if !access.AdmitsAt(a, Moment{Live: most}) || access.AdmitsAt(a, Moment{Live: least}) {
		t.Error("the bounds do not bound it")
	}
	if text := access.ExplainAt(a, Moment{}).String(); !strings.Contains(text, "what dns bad.example lists is not known") {
		t.Errorf("explained as %q", text)
	}
}

// TestSourceFaults: what is wrong with an entry is told where it stands.
func TestSourceFaults(t *testing.T) {
	for entry, want := range map[string]string{
		`{dns: vpn.acme.example}`:                                   "",
		`{dns: _x.vpn.acme.example.}`:                               "",
		`{dns: vpn}`:                                                "expected a full name",
		`{dns: 203.0.113.5}`:                                        "which is an address",
		`{dns: "*.acme.example"}`:                                   "expected a full name",
		`{dns: vpn.acme.example, refresh: 1s}`:                      `refresh is "1s"; expected "10s" to "7d"`,
		`{dns: vpn.acme.example, keep: 1s}`:                         `keep is "1s"`,
		`{dns: vpn.acme.example, max: 0}`:                           "max is 0",
		`{dns: vpn.acme.example, max: 100001}`:                      "max is 100001",
		`{dns: vpn.acme.example, ca: x.pem}`:                        "ca stands beside dns",
		`{ip: 203.0.113.5, refresh: 5m}`:                            "refresh stands beside ip",
		`{dns: vpn.acme.example, file: x}`:                          "",
		`{file: ""}`:                                                "file is empty",
		`{url: "http://lists.example/"}`:                            "must come by https",
		`{url: "https://u:p@lists.example/"}`:                       "url names a user",
		`{url: "lists.example"}`:                                    "url is \"lists.example\"; expected one like",
		`{url: "https:///x"}`:                                       "expected one like",
		`{url: "https://lists.example/x", ca: ca.pem, refresh: 1h}`: "",
		`{url: "https://lists.example/x", refresh: 5s}`:             `expected "1m" to "7d"`,
	} {
		_, _, r := load("sets: {live: [" + entry + "]}\naccess: {allow: [set:live]}\n")
		text := findings(r)
		if strings.Contains(entry, "file: x") { // the decoder says that one is enough
			want = "file"
		}
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", entry, text, want)
		}
	}
}

// TestSourceBounds: one file makes no end of work and of memory.
func TestSourceBounds(t *testing.T) {
	sources := func(n int, more string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "{dns: h%d.example%s}, ", i, more)
		}
		return "sets: {a: [" + b.String() + "], b: [{dns: last.example}]}\naccess: {allow: [set:a]}\n"
	}
	for text, want := range map[string]string{
		sources(sourcesMost-1, ""):        "",
		sources(sourcesMost, ""):          "names 257 live sources up to here",
		sources(9, ", max: 100000"):       "",
		sources(10, ", max: 100000"):      "may list 1000100 entries up to here",
		sources(1, "}, {dns: H0.example"): "",
		sources(1, "}, {dns: h0.example"): "dns h0.example is listed at t.yaml:1:18 as well",
	} {
		_, _, r := load(text)
		if got := findings(r); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%.60s: %q, want %q", text, got, want)
		}
	}
}

// TestOrigin: whose text it is decides about paths and tells sources apart.
func TestOrigin(t *testing.T) {
	var r conf.Report
	var f file
	conf.Decode("t.yaml", []byte(`sets: {live: [{file: a.txt}, {dns: vpn.acme.example}]}`), &f, &r)
	one := (&Origin{Owner: "acme", Confined: true, Resolve: func(p string) (string, error) { return "tenants/" + p, nil }}).CompileSets(f.Sets, nil, &r)
	two := (&Origin{Owner: "globex"}).CompileSets(f.Sets, nil, &r)
	again := (&Origin{Owner: "globex"}).CompileSets(f.Sets, nil, &r)
	first, second, third := one.byName["live"], two.byName["live"], again.byName["live"]
	if got := first.sources[0].source; got.Target != "tenants/a.txt" || !got.Confined || got.Owner != "acme" {
		t.Errorf("got %+v", got)
	}
	if first.sources[1].source.ID() == second.sources[1].source.ID() || first.digest == second.digest {
		t.Error("two tenants share a source")
	}
	if second.sources[1].source.ID() != third.sources[1].source.ID() || two.Reusing(again).byName["live"] != third {
		t.Error("the same text comes to another source")
	}
}

// TestLiveNesting: sets with a live source are left aside when levels are
// compared.
func TestLiveNesting(t *testing.T) {
	for text, want := range map[string]string{
		"access: {allow: [set:live]}\ninner: {allow: [198.51.100.1]}":                 "",
		"access: {allow: [203.0.113.0/24]}\ninner: {allow: [set:live]}":               "",
		"access: {allow: [203.0.113.0/24]}\ninner: {allow: [set:live, 198.51.100.1]}": "198.51.100.1 is not covered",
	} {
		_, _, r := load("sets: {live: [198.51.100.9, {dns: vpn.acme.example}]}\n" + text + "\n")
		if got := findings(r); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestLiveUntil: a level with a live source that ends changes then.
func TestLiveUntil(t *testing.T) {
	access, _, _ := load("sets: {live: [{dns: vpn.acme.example, until: 2027-01-31}]}\naccess: {allow: [set:live]}\n")
	next, ok := access.NextUntil(time.Unix(0, 0))
	if want := time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC); !ok || !next.Equal(want) {
		t.Errorf("got %v, want %v", next, want)
	}
	if access.Allow().Empty() {
		t.Error("it counts as empty")
	}
}

// TestLiveWithoutAllocation: asking what a live source lists allocates nothing.
func TestLiveWithoutAllocation(t *testing.T) {
	access, _, _ := load(liveSets)
	live := knownOf(t, access.Sources(), map[string]string{"dns vpn.acme.example": "198.51.100.7/32"})
	a := netip.MustParseAddr("198.51.100.7")
	if n := testing.AllocsPerRun(100, func() { access.AdmitsAt(a, Moment{Now: 1, Live: live}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestContents(t *testing.T) {
	c, err := NewContents([]netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("10.0.0.0/9"), netip.MustParsePrefix("203.0.113.0/24")})
	if err != nil || c.Len() != 2 || !slices.IsSortedFunc(c.Prefixes(), comparePrefixes) {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := NewContents([]netip.Prefix{netip.MustParsePrefix("8.0.0.0/7")}); err == nil {
		t.Error("a /7 is taken")
	}
}

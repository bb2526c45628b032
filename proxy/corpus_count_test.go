package proxy

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// What the corpus holds at least.
const (
	requestsLeast = 500
	answersLeast  = 150
)

// source is where a case may come from.
var source = regexp.MustCompile(`RFC \d{4} [\dA-Z]|CVE-\d{4}-\d|GHSA-|VSV\d|golang #\d|nginx #\d|hyper #\d|caddy-security #\d|` +
	`"funky chunks"|"HTTP/1.1 must die"|Envoy edge guide|Fetch Metadata|WHATWG|our own rule`)

// TestCorpusIsWhole counts the cases, and fails where one has no source or says
// what another one has said.
func TestCorpusIsWhole(t *testing.T) {
	for kind, least := range map[string]int{"requests": requestsLeast, "answers": answersLeast} {
		count := 0
		said := make(map[string]string)
		for _, archive := range readCorpus(t, kind) {
			count += len(archive.cases)
			for _, c := range archive.cases {
				name := fmt.Sprintf("%s/%s/%s", kind, archive.class, c.name)
				if !source.MatchString(c.why) || !strings.HasSuffix(c.why, ".") {
					t.Errorf("%s: %q names no source, or is no sentence", name, c.why)
				}
				says := fmt.Sprintf("%q", []any{c.in, c.inEnds, c.tenant, c.answers, c.later})
				if former, ok := said[says]; ok {
					t.Errorf("%s says what %s has said", name, former)
				}
				said[says] = name
			}
		}
		if count < least {
			t.Errorf("%d %s, want at least %d", count, kind, least)
		}
	}
}

// TestCorpusDifferences holds what stands beside the cases about the standard
// data plane to what docs/security.md says about it, and fails where it is no
// difference.
func TestCorpusDifferences(t *testing.T) {
	said := readDifferences(t)
	for _, kind := range []string{"requests", "answers"} {
		for _, archive := range readCorpus(t, kind) {
			for _, c := range archive.cases {
				if c.differs == "" {
					continue
				}
				name := fmt.Sprintf("%s/%s/%s", kind, archive.class, c.name)
				if _, ok := said[c.differs]; !ok {
					t.Errorf("%s: docs/security.md does not say %q", name, c.differs)
				}
				said[c.differs] = true
				there, err := c.on(StandardPlane)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				same := c.ending.how == there.ending.how && c.ending.fresh == there.ending.fresh &&
					sameForm(c.ending.out, there.ending.out) && slices.EqualFunc(c.backend, there.backend, sameForm)
				if same {
					t.Errorf("%s: what is recorded is the same on both data planes", name)
				}
			}
		}
	}
	for line, shown := range said {
		if !shown {
			t.Errorf("docs/security.md says %q, and no case shows it", line)
		}
	}
}

// readDifferences reads the table about the standard data plane, as the lines
// that stand beside cases.
func readDifferences(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "on the standard data plane\n")
	section, _, _ = strings.Cut(section, "\n### ")
	said := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| (.+) \| (.+) \|$`).FindAllStringSubmatch(section, -1)[1:] {
		said[row[1]+": "+row[2]+"."] = false
	}
	return said
}

// TestCorpusReads holds the reader of archives to what it is said to do.
func TestCorpusReads(t *testing.T) {
	const good = "-- a --\nOne: RFC 9112 3.\n-- a/in ended --\nx\\n\\\n-- a/answer early fin --\ny\n-- a/answer2 --\nz\n" +
		"-- a/backend --\n{2 times ab}\\\n-- a/backend2 --\nb2\n-- a/closed fresh --\nc\n" +
		"-- a/standard --\nIt ends otherwise.\n-- a/standard/cut --\nd\n"
	cases, err := readCases(txtar.Parse([]byte(good)))
	if err != nil {
		t.Fatal(err)
	}
	c := cases[0]
	there, err := c.on(StandardPlane)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%q %v %v %q %v %v %q", c.in, c.inEnds, c.answers, c.backend, c.ending, there.ending, there.backend)
	want := `"x\n" true [{y` + "\r\n" + ` true fin} {z` + "\r\n" + ` false }] ["abab" "b2\r\n"] {c` + "\r\n" +
		` closed true false} {d` + "\r\n" + ` cut false false} ["abab" "b2\r\n"]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if here, err := c.on(OwnPlane); here != c || err != nil {
		t.Errorf("on its own data plane the case is another one: %v", err)
	}
	for what, text := range map[string]string{
		"no case":         "-- a/in --\nx\n",
		"two lines":       "-- a --\nOne.\nTwo.\n-- a/out --\nx\n",
		"no ending":       "-- a --\nOne.\n-- a/in --\nx\n",
		"two endings":     "-- a --\nOne.\n-- a/out --\nx\n-- a/cut --\nx\n",
		"a section twice": "-- a --\nOne.\n-- a/in --\nx\n-- a/in --\ny\n-- a/out --\nx\n",
		"an unknown one":  "-- a --\nOne.\n-- a/inn --\nx\n-- a/out --\nx\n",
		"unknown manners": "-- a --\nOne.\n-- a/answer late --\nx\n-- a/out --\nx\n",
		"out of order":    "-- a --\nOne.\n-- a/backend2 --\nx\n-- a/out --\nx\n",
		"ended, goes on":  "-- a --\nOne.\n-- a/in ended --\nx\n-- a/out --\nx\n",
		"not said why":    "-- a --\nOne.\n-- a/out --\nx\n-- a/standard/out --\ny\n",
		"no difference":   "-- a --\nOne.\n-- a/out --\nx\n-- a/standard --\nIt does.\n",
	} {
		if _, err := readCases(txtar.Parse([]byte(text))); err == nil {
			t.Errorf("%s: it was read", what)
		}
	}
}

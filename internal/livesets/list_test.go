package livesets

import (
	"net/netip"
	"strings"
	"testing"
)

// TestParseList: a text is taken whole or not at all.
func TestParseList(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"203.0.113.0/28\n2001:db8::/48\n198.51.100.7", "203.0.113.0/28 2001:db8::/48 198.51.100.7/32"},
		{"\ufeff# offices\r\n\r\n 203.0.113.0/28 # head office\r\n198.51.100.7;auditor\r\n", "203.0.113.0/28 198.51.100.7/32"},
		{"203.0.113.0/24 ; SBL1\n; end\n", "203.0.113.0/24"},
		{"::ffff:203.0.113.5\n", "203.0.113.5/32"},
		{"", ""},
		{"203.0.113.5 198.51.100.7\n", "line 1: "},
		{"203.0.113.5\n<!DOCTYPE html>\n", "line 2: "},
		{"203.0.113.5/24\n", "line 1: \"203.0.113.5/24\" has bits beyond its length"},
		{"203.0.113.5, 203.0.113.6\n", "line 1: "},
		{"{\"prefixes\": []}\n", "line 1: "},
		{strings.Repeat("x", 2000), "line 1 has more than"},
		{"# " + strings.Repeat("x", 900) + "\n10.0.0.1", "10.0.0.1/32"},
		{"10.0.0.1\n10.0.0.2\n10.0.0.3\n10.0.0.4\n", "more than 3 entries"},
	} {
		got, err := parseList([]byte(c.text), 3)
		text := joinPrefixes(got)
		if err != nil {
			text = err.Error()
		}
		if err == nil && text != c.want || err != nil && (c.want == "" || !strings.Contains(text, c.want)) {
			t.Errorf("%.40q: %q, want %q", c.text, text, c.want)
		}
	}
}

func joinPrefixes(prefixes []netip.Prefix) string {
	words := make([]string, len(prefixes))
	for i, p := range prefixes {
		words[i] = p.String()
	}
	return strings.Join(words, " ")
}

// TestCompileAnswer: an answer of nobody, and one of nearly everybody, are
// mistakes or worse.
func TestCompileAnswer(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.5":                        "",
		"10.0.0.0/8":                         "",
		"":                                   "it lists nobody",
		"0.0.0.0/0":                          "more than a /8",
		"10.0.0.0/8\n203.0.113.5":            "more than a /8",
		"2000::/3":                           "/20 of IPv6",
		"1.0.0.1\n1.0.0.2\n1.0.0.3\n2.2.2.2": "more than 3 entries",
	} {
		prefixes, err := parseList([]byte(text), 10)
		if err != nil {
			t.Fatal(err)
		}
		_, err = compile(prefixes, 3)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte("203.0.113.0/28 # x\n2001:db8::/48\n"))
	f.Add([]byte("\ufeff;\r\n1.2.3.4"))
	f.Add([]byte("0.0.0.0/0\n::/0"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseList(text, 100)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(got) > 100 {
			t.Errorf("%d entries", len(got))
		}
		for _, p := range got {
			if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
				t.Errorf("%v is taken", p)
			}
		}
		again, err := parseList([]byte(strings.ReplaceAll(joinPrefixes(got), " ", "\n")), 100)
		if err != nil || joinPrefixes(again) != joinPrefixes(got) {
			t.Errorf("%v reads as %v: %v", got, again, err)
		}
	})
}

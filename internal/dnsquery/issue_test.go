package dnsquery

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseIssue(t *testing.T) {
	tests := []struct {
		value string
		want  Issue
		ok    bool
	}{
		{"letsencrypt.org", Issue{Domain: "letsencrypt.org"}, true},
		{" LetsEncrypt.ORG\t", Issue{Domain: "letsencrypt.org"}, true},
		{"", Issue{}, true},
		{";", Issue{}, true},
		{" ; ", Issue{}, true},
		{"ca.example;", Issue{Domain: "ca.example"}, true},
		{"ca.example; a=b", Issue{"ca.example", []Parameter{{"a", "b"}}}, true},
		{
			"ca.example ;accounturi = https://ca.example/acct/1;\tvalidationmethods=dns-01,http-01",
			Issue{"ca.example", []Parameter{{"accounturi", "https://ca.example/acct/1"}, {"validationmethods", "dns-01,http-01"}}},
			true,
		},
		{"ca.example; a=", Issue{"ca.example", []Parameter{{"a", ""}}}, true},
		{"ca.example; a=b=c", Issue{"ca.example", []Parameter{{"a", "b=c"}}}, true},
		{"; a=b", Issue{"", []Parameter{{"a", "b"}}}, true},
		{"ca.example; a", Issue{}, false},
		{"ca.example; =b", Issue{}, false},
		{"ca.example; a=b c", Issue{}, false},
		{"ca.example; a=b;", Issue{}, false},
		{"ca.example; -a=b", Issue{}, false},
		{"ca_x.example", Issue{}, false},
		{"ca..example", Issue{}, false},
		{"-.example", Issue{}, false},
		{"two words.example", Issue{}, false},
		{"ca.example\x00", Issue{}, false},
		{"ca.example; a=\xff", Issue{}, false},
		{`"ca.example"`, Issue{}, false},
	}
	for _, tt := range tests {
		got, ok := ParseIssue(tt.value)
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
			t.Errorf("%q: %v, want %v\n%s", tt.value, ok, tt.ok, diff)
		}
	}
}

// FuzzParseIssue: what is read is printable, and reads the same when it is
// written down again.
func FuzzParseIssue(f *testing.F) {
	for _, seed := range []string{"letsencrypt.org", ";", "ca.example; accounturi=https://ca.example/1; validationmethods=dns-01", " A ; b = c ", "\x00;="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		issue, ok := ParseIssue(value)
		if !ok {
			if diff := cmp.Diff(Issue{}, issue); diff != "" {
				t.Fatal(diff)
			}
			return
		}
		text := issue.Domain
		for _, p := range issue.Parameters {
			text += "; " + p.Tag + "=" + p.Value
		}
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q lets %q through", value, text)
		}
		again, ok := ParseIssue(text)
		if diff := cmp.Diff(issue, again); diff != "" || !ok {
			t.Errorf("%q read again: %v\n%s", value, ok, diff)
		}
	})
}

package acme

import (
	"strings"
	"testing"

	"gatehouse/internal/dnsquery"

	"github.com/google/go-cmp/cmp"
)

// caaOf reads records as they are written here: `issue "x"`, with a ! before
// the tag of a critical one.
func caaOf(lines ...string) (out []dnsquery.CAARecord) {
	for _, line := range lines {
		tag, value, _ := strings.Cut(line, " ")
		tag, critical := strings.CutPrefix(tag, "!")
		out = append(out, dnsquery.CAARecord{Critical: critical, Tag: tag, Value: strings.Trim(value, `"`)})
	}
	return out
}

func TestCAA(t *testing.T) {
	const account = "https://ca.example/acct/7"
	http, all := []string{"http-01"}, []string{"http-01", "tls-alpn-01", "dns-01"}
	tests := []struct {
		title    string
		records  []string
		wildcard bool
		account  string
		kinds    []string
		want     []string
		why      string
		record   string
	}{
		{title: "none that restrict", records: []string{`iodef "mailto:a@acme.example"`}, kinds: all, want: all},
		{title: "ours", records: []string{`issue "ca.example"`}, kinds: all, want: all},
		{title: "ours by another name", records: []string{`issue "old.example"`, `issue "CA2.example"`}, kinds: http, want: http},
		{title: "others", records: []string{`issue "other.example"`}, kinds: http, why: "do not name this authority", record: `acme.example. CAA 0 issue "ca.example"`},
		{title: "nobody", records: []string{`issue ";"`}, kinds: http, why: "do not name", record: `acme.example. CAA 0 issue "ca.example"`},
		{title: "empty", records: []string{`issue ""`}, kinds: http, why: "do not name", record: `acme.example. CAA 0 issue "ca.example"`},
		{title: "malformed", records: []string{`issue "ca.example; x"`}, kinds: http, why: "do not name", record: `acme.example. CAA 0 issue "ca.example"`},
		{title: "nobody and ours", records: []string{`issue ";"`, `issue "ca.example"`}, kinds: http, want: http},
		{title: "wildcard by issue", records: []string{`issue "ca.example"`}, wildcard: true, kinds: []string{"dns-01"}, want: []string{"dns-01"}},
		{title: "wildcard by issuewild", records: []string{`issue "other.example"`, `issuewild "ca.example"`}, wildcard: true, kinds: []string{"dns-01"}, want: []string{"dns-01"}},
		{title: "wildcard forbidden", records: []string{`issue "ca.example"`, `issuewild ";"`}, wildcard: true, kinds: []string{"dns-01"}, why: "do not name", record: `acme.example. CAA 0 issuewild "ca.example"`},
		{title: "issuewild alone says nothing of others", records: []string{`issuewild "other.example"`}, kinds: http, want: http},
		{title: "issuewild does not bind others", records: []string{`issue "ca.example"`, `issuewild ";"`}, kinds: http, want: http},
		{title: "unknown tag", records: []string{`issue "ca.example"`, `future "x"`}, kinds: http, want: http},
		{title: "unknown critical tag", records: []string{`issue "ca.example"`, `!future "x"`}, kinds: http, why: `the tag "future" that is marked critical`},
		{title: "known critical tag", records: []string{`!issue "ca.example"`, `!iodef "x"`, `!issuemail ";"`}, kinds: http, want: http},
		{title: "our account", records: []string{`issue "ca.example; accounturi=` + account + `"`}, account: account, kinds: http, want: http},
		{title: "no account yet", records: []string{`issue "ca.example; accounturi=` + account + `"`}, kinds: http, want: http},
		{
			title: "another account", records: []string{`issue "ca.example; accounturi=https://ca.example/acct/8"`}, account: account, kinds: http,
			why: "bind this authority to another account", record: `acme.example. CAA 0 issue "ca.example; accounturi=https://ca.example/acct/7"`,
		},
		{title: "one account of two", records: []string{`issue "ca.example; accounturi=https://ca.example/acct/8"`, `issue "ca.example; accounturi=` + account + `"`}, account: account, kinds: http, want: http},
		{
			title: "two accounts in one record", records: []string{`issue "ca.example; accounturi=` + account + `; accounturi=` + account + `"`}, account: account, kinds: http,
			why: "contradicts itself", record: `acme.example. CAA 0 issue "ca.example"`,
		},
		{title: "methods", records: []string{`issue "ca.example; validationmethods=dns-01,http-01"`}, kinds: all, want: []string{"http-01", "dns-01"}},
		{title: "methods of two records", records: []string{`issue "ca.example; validationmethods=dns-01"`, `issue "ca.example; validationmethods=tls-alpn-01"`}, kinds: all, want: []string{"tls-alpn-01", "dns-01"}},
		{
			title: "other methods", records: []string{`issue "ca.example; validationmethods=dns-01"`}, kinds: []string{"http-01", "tls-alpn-01"},
			why: "forbid the ways in which control can be proved here (http-01, tls-alpn-01)", record: `acme.example. CAA 0 issue "ca.example; validationmethods=http-01,tls-alpn-01"`,
		},
		{
			title: "other methods and another account", records: []string{`issue "ca.example; validationmethods=dns-01"`, `issue "ca.example; accounturi=https://ca.example/acct/8"`}, account: account, kinds: http,
			why: "another account", record: `acme.example. CAA 0 issue "ca.example; accounturi=https://ca.example/acct/7; validationmethods=http-01"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			q := &caaQuestion{
				records: caaOf(tt.records...), at: "acme.example", wildcard: tt.wildcard, kinds: tt.kinds,
				identities: []string{"ca.example", "ca2.example"}, account: tt.account,
			}
			v := q.judge()
			if diff := cmp.Diff(tt.want, v.kinds, cmp.Transformer("", func(s []string) string { return strings.Join(s, " ") })); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			if !strings.Contains(v.why, tt.why) || (tt.why == "") != (v.why == "") {
				t.Errorf("why %q, want %q", v.why, tt.why)
			}
			if v.record != tt.record {
				t.Errorf("record %q, want %q", v.record, tt.record)
			}
		})
	}
}

// FuzzCAA: whatever stands in DNS, nothing odd is told, and who is allowed was
// named.
func FuzzCAA(f *testing.F) {
	f.Add("issue", "ca.example; validationmethods=http-01", true, false)
	f.Add("issuewild", ";", false, true)
	f.Add("\x1b[2J", "\x00", true, true)
	f.Fuzz(func(t *testing.T, tag, value string, critical, wildcard bool) {
		q := &caaQuestion{
			records: []dnsquery.CAARecord{{Critical: critical, Tag: tag, Value: value}}, at: "acme.example",
			wildcard: wildcard, kinds: []string{"http-01"}, identities: []string{"ca.example"},
		}
		v := q.judge()
		if (len(v.kinds) == 0) == (v.why == "") {
			t.Errorf("kinds %q, why %q", v.kinds, v.why)
		}
		if strings.ContainsFunc(v.why+v.record, func(c rune) bool { return c < ' ' }) {
			t.Errorf("told %q, %q", v.why, v.record)
		}
		if tag == "issue" && len(v.kinds) > 0 && !strings.Contains(strings.ToLower(value), "ca.example") {
			t.Errorf("%q allows it", value)
		}
	})
}

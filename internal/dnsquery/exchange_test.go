package dnsquery

import (
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// FuzzAnswer: whatever a server sends, nothing of it belongs to a name that was
// not asked about, and nothing that is told harms a terminal.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{"pa.acme.example. 60 IN A 192.0.2.1", "pa.acme.example. 60 IN CNAME b.example.", `pa.acme.example. 60 IN CAA 0 issue "ca.example"`} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		m := new(dns.Msg).SetReply(question("pa.acme.example.", rr.Header().Rrtype))
		m.Id, m.Answer = 7, []dns.RR{rr}
		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, rr.Header().Rrtype)
	}
	f.Add([]byte("\xff\xc0\x0c\xc0\x0c"), dns.TypeA)
	f.Fuzz(func(t *testing.T, raw []byte, qtype uint16) {
		q := question("pa.acme.example.", qtype)
		q.Id = 7
		m := new(dns.Msg)
		if m.Unpack(raw) != nil || mismatch(q, m) != "" {
			return
		}
		records, _ := owned(m, "pa.acme.example.", qtype, recordsMost)
		for _, rr := range records {
			if !strings.EqualFold(rr.Header().Name, "pa.acme.example.") || rr.Header().Rrtype != qtype {
				t.Errorf("%v was believed", rr)
			}
			if a, ok := addressOf(rr); ok && !a.IsValid() {
				t.Errorf("%v has no address", rr)
			}
		}
		hop, err := aliasOf(m, "pa.acme.example.")
		if name, ok := absolute(hop.target); hop.target != "" && (!ok || name != hop.target) {
			t.Errorf("an alias of %q", hop.target)
		}
		text := extended(m)
		if err != nil {
			text += err.Error()
		}
		if len(text) > 4*detailMax || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("told %q", text)
		}
	})
}

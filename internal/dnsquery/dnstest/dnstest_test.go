package dnstest

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ask(t *testing.T, s *Server, network, name, kind string) (*dns.Msg, error) {
	t.Helper()
	c := &dns.Client{Net: network, Timeout: 300 * time.Millisecond}
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), typeOf(kind))
	answer, _, err := c.Exchange(m, s.Addr())
	return answer, err
}

func values(m *dns.Msg) (out []string) {
	for _, rr := range m.Answer {
		out = append(out, rr.Header().Name+" "+valueOf(rr))
	}
	return out
}

func sample(t *testing.T) *Server {
	s := Start(t)
	s.Zone("acme.example", "other.example")
	s.Add("pa.acme.example. A 192.0.2.1", "PA.acme.example. AAAA 2001:db8::1", "www.acme.example. CNAME pa.acme.example.",
		"far.acme.example. CNAME app.other.example.", "app.other.example. A 192.0.2.9", "loop.acme.example. CNAME loop.acme.example.",
		"out.acme.example. CNAME elsewhere.test.", "*.wild.acme.example. A 192.0.2.7", "a.b.acme.example. A 192.0.2.3",
		`acme.example. CAA 0 issue "letsencrypt.org"`, `acme.example. TXT "one" "two"`)
	return s
}

func TestAnswers(t *testing.T) {
	s := sample(t)
	tests := []struct {
		name, kind string
		rcode      int
		want       []string
	}{
		{"pa.acme.example", "A", 0, []string{"pa.acme.example. 192.0.2.1"}},
		{"pa.acme.example", "AAAA", 0, []string{"PA.acme.example. 2001:db8::1"}},
		{"www.acme.example", "A", 0, []string{"www.acme.example. pa.acme.example.", "pa.acme.example. 192.0.2.1"}},
		{"www.acme.example", "CNAME", 0, []string{"www.acme.example. pa.acme.example."}},
		{"far.acme.example", "A", 0, []string{"far.acme.example. app.other.example.", "app.other.example. 192.0.2.9"}},
		{"out.acme.example", "A", 0, []string{"out.acme.example. elsewhere.test."}},
		{"x.wild.acme.example", "A", 0, []string{"x.wild.acme.example. 192.0.2.7"}},
		{"x.wild.acme.example", "TXT", 0, nil},
		{"b.acme.example", "A", 0, nil},
		{"acme.example", "CAA", 0, []string{`acme.example. 0 issue "letsencrypt.org"`}},
		{"acme.example", "TXT", 0, []string{"acme.example. onetwo"}},
		{"acme.example", "NS", 0, []string{"acme.example. ns.acme.example."}},
		{"example", "CAA", 0, nil},
		{".", "NS", 0, nil},
		{"none.acme.example", "A", dns.RcodeNameError, nil},
		{"elsewhere.test", "A", dns.RcodeRefused, nil},
	}
	for _, tt := range tests {
		for _, network := range []string{"udp", "tcp"} {
			got, err := ask(t, s, network, tt.name, tt.kind)
			if err != nil {
				t.Fatalf("%s %s by %s: %v", tt.name, tt.kind, network, err)
			}
			if got.Rcode != tt.rcode {
				t.Errorf("%s %s: rcode %d, want %d", tt.name, tt.kind, got.Rcode, tt.rcode)
			}
			if diff := cmp.Diff(tt.want, values(got)); diff != "" {
				t.Errorf("%s %s by %s (-want +got):\n%s", tt.name, tt.kind, network, diff)
			}
			if tt.want == nil && tt.rcode != dns.RcodeRefused && len(got.Ns) != 1 {
				t.Errorf("%s %s: %d authority records, want the SOA", tt.name, tt.kind, len(got.Ns))
			}
		}
	}
	if got, err := ask(t, s, "udp", "loop.acme.example", "A"); err != nil || len(got.Answer) != aliasesFollowed {
		t.Errorf("loop: %v, %v", got, err)
	}
}

func TestFaults(t *testing.T) {
	s := sample(t)
	s.Delay(10 * time.Millisecond)
	tests := []struct {
		fault Fault
		udp   func(*dns.Msg, error) bool
	}{
		{Drop, func(_ *dns.Msg, err error) bool { e, ok := err.(net.Error); return ok && e.Timeout() }},
		{Garbage, func(_ *dns.Msg, err error) bool { return err != nil }},
		{Short, func(m *dns.Msg, err error) bool { return err != nil || len(m.Question) == 0 }},
		{ServFail, func(m *dns.Msg, err error) bool { return err == nil && m.Rcode == dns.RcodeServerFailure }},
		{Refuse, func(m *dns.Msg, err error) bool { return err == nil && m.Rcode == dns.RcodeRefused }},
		{NotImplement, func(m *dns.Msg, err error) bool { return err == nil && m.Rcode == dns.RcodeNotImplemented }},
		{Truncate, func(m *dns.Msg, err error) bool { return err == nil && m.Truncated && m.Answer == nil }},
		{TruncateAll, func(m *dns.Msg, err error) bool { return err == nil && m.Truncated }},
		{WrongID, func(_ *dns.Msg, err error) bool { return err != nil }},
		{WrongQuestion, func(m *dns.Msg, err error) bool {
			return err != nil || m.Question[0].Name == "somebody.else.example."
		}},
		{Foreign, func(m *dns.Msg, err error) bool { return err == nil && m.Answer[0].Header().Name == "bait.example." }},
		{Flood, func(m *dns.Msg, err error) bool { return err == nil && m.Truncated }},
		{Slow, func(m *dns.Msg, err error) bool { return err == nil && len(m.Answer) == 1 }},
		{None, func(m *dns.Msg, err error) bool { return err == nil && len(m.Answer) == 1 }},
	}
	for _, tt := range tests {
		s.Fault("pa.acme.example", tt.fault)
		if m, err := ask(t, s, "udp", "pa.acme.example", "A"); !tt.udp(m, err) {
			t.Errorf("fault %d by UDP: %v, %v", tt.fault, m, err)
		}
	}
	s.Fault("pa.acme.example", Truncate)
	if m, err := ask(t, s, "tcp", "pa.acme.example", "A"); err != nil || len(m.Answer) != 1 {
		t.Errorf("truncated, by TCP: %v, %v", m, err)
	}
	s.Fault("pa.acme.example", Refuse, "AAAA")
	s.Fault("pa.acme.example", None)
	if m, err := ask(t, s, "udp", "pa.acme.example", "A"); err != nil || m.Rcode != 0 {
		t.Errorf("a fault of AAAA reached A: %v, %v", m, err)
	}
}

func TestUpdates(t *testing.T) {
	s := sample(t)
	secret := []byte("0123456789abcdef0123456789abcdef")
	s.AllowUpdates("acme.example", "gatehouse.", secret)
	tests := []struct {
		title, zone, name, key, secret string
		skew                           time.Duration
		rcode                          int
		reason                         uint16
		values                         []string
	}{
		{"no key", "acme.example.", "_acme-challenge.acme.example.", "", "", 0, dns.RcodeRefused, 0, nil},
		{"unknown key", "acme.example.", "_acme-challenge.acme.example.", "other.", EncodeKey(secret), 0, dns.RcodeNotAuth, dns.RcodeBadKey, nil},
		{"wrong secret", "acme.example.", "_acme-challenge.acme.example.", "gatehouse.", EncodeKey([]byte("other")), 0, dns.RcodeNotAuth, dns.RcodeBadSig, nil},
		{"clock", "acme.example.", "_acme-challenge.acme.example.", "gatehouse.", EncodeKey(secret), time.Hour, dns.RcodeNotAuth, dns.RcodeBadTime, nil},
		{"zone of another", "other.example.", "_acme-challenge.other.example.", "gatehouse.", EncodeKey(secret), 0, dns.RcodeRefused, 0, nil},
		{"not in the zone", "acme.example.", "_acme-challenge.other.example.", "gatehouse.", EncodeKey(secret), 0, dns.RcodeNotZone, 0, nil},
		{"good", "acme.example.", "_acme-challenge.acme.example.", "gatehouse.", EncodeKey(secret), 0, 0, 0, []string{"value"}},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			s.SkewClock(tt.skew)
			m := new(dns.Msg).SetUpdate(tt.zone)
			m.Insert([]dns.RR{parse(tt.name + ` 60 IN TXT "value"`)})
			c := &dns.Client{Net: "tcp"}
			if tt.key != "" {
				c.TsigSecret = map[string]string{tt.key: tt.secret}
				m.SetTsig(tt.key, dns.HmacSHA256, 300, time.Now().Unix())
			}
			got, _, err := c.Exchange(m, s.Addr())
			if got == nil {
				t.Fatal(err)
			}
			if got.Rcode != tt.rcode {
				t.Errorf("rcode %d, want %d", got.Rcode, tt.rcode)
			}
			if sig := got.IsTsig(); sig != nil && sig.Error != tt.reason {
				t.Errorf("reason %d, want %d", sig.Error, tt.reason)
			}
			if diff := cmp.Diff(tt.values, s.Values(tt.name, "TXT")); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

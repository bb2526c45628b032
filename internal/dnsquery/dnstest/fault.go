package dnstest

import (
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Fault is a way to misbehave.
type Fault uint8

// The faults.
const (
	None          Fault = iota // the truth
	Drop                       // no answer
	Garbage                    // bytes that are no DNS message
	Short                      // a message that ends in its header
	ServFail                   // SERVFAIL with an extended error (RFC 8914)
	Refuse                     // REFUSED
	NotImplement               // NOTIMP
	Truncate                   // TC by UDP, the whole answer by TCP
	TruncateAll                // TC by UDP, TCP closes without an answer
	WrongID                    // an answer to another query
	WrongQuestion              // the id of this query, the question of another
	Foreign                    // records of a name that was not asked about
	Flood                      // more records than anybody has
	Slow                       // the truth, after Server.Delay
)

// rule is a fault for a name and what lies below it.
type rule struct {
	name  string // lower case, with its last dot
	types []uint16
	fault Fault
}

// Fault makes the server misbehave for name and everything below it; "." is
// everything. Without types, for every type. A later call for the same name and
// types takes the place of the former; the longest name decides.
func (s *Server) Fault(name string, f Fault, types ...string) {
	r := rule{name: canonical(name), fault: f}
	for _, t := range types {
		r.types = append(r.types, typeOf(t))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = slices.DeleteFunc(s.rules, func(old rule) bool {
		return old.name == r.name && slices.Equal(old.types, r.types)
	})
	s.rules = append(s.rules, r)
}

// Delay sets how long Slow takes; a second without it.
func (s *Server) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// faultOf returns the fault of a question.
func (s *Server) faultOf(name string, qtype uint16) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	best, labels := None, -1
	for _, r := range s.rules {
		n := dns.CountLabel(r.name)
		if dns.IsSubDomain(r.name, name) && n > labels && (r.types == nil || slices.Contains(r.types, qtype)) {
			best, labels = r.fault, n
		}
	}
	return best
}

// wait passes the time of Slow, or returns false when the server ends first.
func (s *Server) wait() bool {
	s.mu.Lock()
	d := s.delay
	s.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// spoil turns a true answer into what the fault makes of it. It returns the raw
// bytes to send, or nil for silence.
func spoil(f Fault, truth *dns.Msg, tcp bool) []byte {
	m := truth.Copy()
	if m.IsTsig() != nil {
		m.Extra = m.Extra[:len(m.Extra)-1] // nothing here is signed
	}
	switch f {
	case Drop:
		return nil
	case Garbage:
		return []byte(strings.Repeat("\xff\xc0\x0c", 40))
	case Short:
		raw, _ := m.Pack()
		return raw[:12]
	case ServFail:
		m.Answer, m.Ns = nil, nil
		m.Rcode = dns.RcodeServerFailure
		m.SetEdns0(1232, false)
		opt := m.IsEdns0()
		opt.Option = append(opt.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNoReachableAuthority, ExtraText: "delegation is lame"})
	case Refuse:
		m.Answer, m.Ns, m.Rcode = nil, nil, dns.RcodeRefused
	case NotImplement:
		m.Answer, m.Ns, m.Rcode = nil, nil, dns.RcodeNotImplemented
	case Truncate, TruncateAll:
		if tcp && f == TruncateAll {
			return nil
		}
		if !tcp {
			m.Answer, m.Ns, m.Truncated = nil, nil, true
		}
	case WrongID:
		m.Id++
	case WrongQuestion:
		m.Question = []dns.Question{{Name: "somebody.else.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}}
	case Foreign:
		m.Answer = foreign(m.Question[0].Qtype, 1)
	case Flood:
		m.Answer = foreign(m.Question[0].Qtype, 1500)
		for _, rr := range m.Answer {
			rr.Header().Name = m.Question[0].Name
		}
		m.Compress = true
		if !tcp {
			m.Answer, m.Truncated = nil, true
		}
	}
	raw, err := m.Pack()
	if err != nil {
		return nil
	}
	return raw
}

// foreign returns n records of a name that nobody asked about.
func foreign(qtype uint16, n int) []dns.RR {
	text := map[uint16]string{
		dns.TypeA: "A 203.0.113.66", dns.TypeAAAA: "AAAA 2001:db8::66", dns.TypeTXT: `TXT "bait"`,
		dns.TypeCAA: `CAA 0 issue "bait.example"`, dns.TypeCNAME: "CNAME bait.example.", dns.TypeSOA: "SOA bait. bait. 1 1 1 1 1",
	}[qtype]
	if text == "" {
		return nil
	}
	var out []dns.RR
	for range n {
		out = append(out, parse("bait.example. 60 IN "+text))
	}
	return out
}

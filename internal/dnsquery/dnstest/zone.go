package dnstest

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// aliasesFollowed bounds a chain of CNAMEs; loops end here, with the records
// seen so far, as resolvers answer them.
const aliasesFollowed = 16

// zone holds records by name.
type zone struct {
	name    string
	records map[string][]dns.RR
}

// Zone makes the server answer for a zone, with an SOA record and a name server.
func (s *Server) Zone(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		name = canonical(name)
		if s.zones[name] != nil {
			continue
		}
		z := &zone{name: name, records: map[string][]dns.RR{}}
		s.zones[name] = z
		suffix := strings.TrimPrefix(name, ".")
		z.add(parse(name + " 60 IN SOA ns." + suffix + " hostmaster." + suffix + " 1 3600 600 86400 60"))
		z.add(parse(name + " 60 IN NS ns." + suffix))
		z.add(parse("ns." + suffix + " 60 IN A 127.0.0.1"))
	}
}

// Add adds records as a zone file has them: `pa.acme.example. A 192.0.2.1`.
// A record that no zone contains, or that is malformed, is a mistake of the
// test and panics.
func (s *Server) Add(records ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range records {
		rr := parse(text)
		z := s.zoneOf(canonical(rr.Header().Name))
		if z == nil {
			panic("dnstest: no zone for " + text)
		}
		z.add(rr)
	}
}

// Remove removes the records of a name, of the types named or all.
func (s *Server) Remove(name string, types ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if z := s.zoneOf(canonical(name)); z != nil {
		z.drop(canonical(name), func(rr dns.RR) bool {
			return len(types) == 0 || slices.Contains(types, dns.TypeToString[rr.Header().Rrtype])
		})
	}
}

// Set replaces the records of the first one's name and type.
func (s *Server) Set(records ...string) {
	for _, text := range records {
		h := parse(text).Header()
		s.Remove(h.Name, dns.TypeToString[h.Rrtype])
	}
	s.Add(records...)
}

// TTL sets the time to live of all records, in seconds; without it they live for
// one.
func (s *Server) TTL(seconds uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ttl = &seconds
}

// Values returns what the records of a name and type say, sorted: an address,
// a text without quotes, a target.
func (s *Server) Values(name, kind string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	if z := s.zoneOf(canonical(name)); z != nil {
		for _, rr := range z.records[canonical(name)] {
			if rr.Header().Rrtype == typeOf(kind) {
				out = append(out, valueOf(rr))
			}
		}
	}
	slices.Sort(out)
	return out
}

func valueOf(rr dns.RR) string {
	if txt, ok := rr.(*dns.TXT); ok {
		return strings.Join(txt.Txt, "")
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String())
}

func parse(text string) dns.RR {
	rr, err := dns.NewRR(text)
	if err != nil || rr == nil {
		panic("dnstest: not a record: " + text)
	}
	rr.Header().Ttl = 1
	return rr
}

// zoneOf returns the deepest zone that contains name.
func (s *Server) zoneOf(name string) *zone {
	for off, end := 0, false; !end; off, end = dns.NextLabel(name, off) {
		if z := s.zones[name[off:]]; z != nil {
			return z
		}
	}
	return s.zones["."]
}

// above reports whether a zone lies below name: it exists, and has no records.
func (s *Server) above(name string) bool {
	for zone := range s.zones {
		if dns.IsSubDomain(name, zone) {
			return true
		}
	}
	return false
}

func (z *zone) add(rr dns.RR) {
	name := canonical(rr.Header().Name)
	if !slices.ContainsFunc(z.records[name], func(old dns.RR) bool { return dns.IsDuplicate(old, rr) }) {
		z.records[name] = append(z.records[name], rr)
	}
}

func (z *zone) drop(name string, which func(dns.RR) bool) {
	if z.records[name] = slices.DeleteFunc(z.records[name], which); len(z.records[name]) == 0 {
		delete(z.records, name)
	}
}

// find returns the records of a name, from a wildcard where there is none, and
// whether the name exists.
func (z *zone) find(name string) (found []dns.RR, exists bool) {
	if records := z.records[name]; records != nil {
		return records, true
	}
	for other := range z.records {
		if dns.IsSubDomain(name, other) {
			return nil, true // an empty non-terminal
		}
	}
	off, end := dns.NextLabel(name, 0)
	for ; !end && len(name)-off >= len(z.name); off, end = dns.NextLabel(name, off) {
		for _, rr := range z.records["*."+name[off:]] {
			rr = dns.Copy(rr)
			rr.Header().Name = name
			found = append(found, rr)
		}
		if found != nil {
			return found, true
		}
	}
	return nil, false
}

// answer answers a query with the truth.
func (s *Server) answer(m *dns.Msg) *dns.Msg {
	out := new(dns.Msg).SetReply(m)
	out.Authoritative, out.RecursionAvailable, out.Compress = true, true, true
	if m.IsEdns0() != nil {
		out.SetEdns0(1232, false)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q := m.Question[0]
	name := canonical(q.Name)
	var z *zone
	for hop := range aliasesFollowed {
		next := s.zoneOf(name)
		if next == nil && s.above(name) {
			out.Ns = []dns.RR{parse(". 60 IN SOA a.root. hostmaster.root. 1 3600 600 86400 60")}
			return out
		}
		if next == nil {
			if hop == 0 {
				out.Rcode, out.Authoritative = dns.RcodeRefused, false
			}
			return out
		}
		z = next
		found, exists := z.find(name)
		target := ""
		for _, rr := range found {
			cname, alias := rr.(*dns.CNAME)
			if alias && q.Qtype != dns.TypeCNAME {
				target = canonical(cname.Target)
			}
			if alias || rr.Header().Rrtype == q.Qtype {
				out.Answer = append(out.Answer, dns.Copy(rr))
			}
		}
		if target == "" {
			if !exists {
				out.Rcode = dns.RcodeNameError
			}
			break
		}
		name = target
	}
	if s.ttl != nil {
		for _, rr := range out.Answer {
			rr.Header().Ttl = *s.ttl
		}
	}
	if last := len(out.Answer); last == 0 || out.Answer[last-1].Header().Rrtype != q.Qtype {
		out.Ns = soa(z)
	}
	return out
}

// soa is what says that there is nothing (RFC 2308).
func soa(z *zone) []dns.RR {
	for _, rr := range z.records[z.name] {
		if rr.Header().Rrtype == dns.TypeSOA {
			return []dns.RR{dns.Copy(rr)}
		}
	}
	return nil
}

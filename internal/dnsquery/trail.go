package dnsquery

import (
	"context"
	"strings"

	"github.com/miekg/dns"
)

// trail is what a name leads to.
type trail struct {
	records []dns.RR
	chain   []string // the aliases on the way, without their last dots
	ttl     uint32   // seconds; the least of records and aliases
}

// count has the trail live no longer than a record. A time with the highest bit
// set counts as none (RFC 2181 section 8).
func (t *trail) count(rr dns.RR) {
	ttl := rr.Header().Ttl
	if ttl > 1<<31-1 {
		ttl = 0
	}
	t.ttl = min(t.ttl, ttl)
}

// trace follows the aliases of a name, which has its last dot, to the records of a
// type, at most so many. A server that leaves the end of a chain out is asked
// again.
func (r *Resolver) trace(ctx context.Context, name string, qtype uint16, most int) (trail, error) {
	t := trail{ttl: 1<<31 - 1}
	m, err := r.ask(ctx, name, qtype)
	host, asked := name, name
	for {
		if m == nil {
			return t, err
		}
		found, failure := owned(m, name, qtype, most)
		if failure != nil || found != nil {
			t.records = found
			for _, rr := range found {
				t.count(rr)
			}
			return t, failure
		}
		hop, failure := aliasOf(m, name)
		switch {
		case failure != nil:
			return t, failure
		case hop.record != nil && len(t.chain) == aliasesMost:
			return t, told(&Error{Kind: TooMuch, Detail: "its aliases do not end"}, host, qtype)
		case hop.record != nil:
			name = hop.target
			t.count(hop.record)
			t.chain = append(t.chain, strings.TrimSuffix(name, "."))
		case err != nil && name != asked:
			return t, told(&Error{Kind: KindOf(err), Detail: "an alias leads there"}, name, qtype)
		case err != nil || name == asked || hasSOA(m):
			return t, err
		default: // the chain left what this server knows
			asked = name
			m, err = r.ask(ctx, name, qtype)
		}
	}
}

// owned returns the records of a type that belong to name in an answer. Records
// of other names are nobody's business here.
func owned(m *dns.Msg, name string, qtype uint16, most int) ([]dns.RR, error) {
	var out []dns.RR
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Rrtype != qtype || h.Class != dns.ClassINET || !strings.EqualFold(h.Name, name) {
			continue
		}
		if len(out) == most {
			return nil, told(&Error{Kind: TooMuch, Detail: "more records than anybody needs"}, name, qtype)
		}
		out = append(out, rr)
	}
	return out, nil
}

// hop is an alias and what it leads to, with its last dot.
type hop struct {
	target string
	record dns.RR // nil for none
}

// aliasOf returns what an answer says that name is an alias of.
func aliasOf(m *dns.Msg, name string) (hop, error) {
	for _, rr := range m.Answer {
		cname, ok := rr.(*dns.CNAME)
		if !ok || !strings.EqualFold(cname.Hdr.Name, name) {
			continue
		}
		target, ok := absolute(cname.Target)
		if !ok {
			return hop{}, told(&Error{Kind: BadAlias, Detail: printable(cname.Target)}, name, dns.TypeCNAME)
		}
		return hop{target, cname}, nil
	}
	return hop{}, nil
}

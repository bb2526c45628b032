package dnsquery

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

const (
	// aliasesMost bounds a chain of CNAMEs. Resolvers give up at eight to
	// sixteen, and CAs with them.
	aliasesMost = 12

	// recordsMost bounds what a name may have of one type. Nobody needs as many
	// addresses; a set that is cut short would be judged wrongly, so more is a
	// failure.
	recordsMost = 100
)

// Addresses returns the A and AAAA records of a host, aliases followed, each
// address once, and the aliases on the way, without their last dots. A host
// without addresses is no error. Where one of the two types fails and the other
// has records, these are returned: a CA would use them too.
func (r *Resolver) Addresses(ctx context.Context, host string) (found []netip.Addr, aliases []string, err error) {
	var failure error
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		records, chain, err := r.follow(ctx, host, qtype)
		if len(chain) > len(aliases) {
			aliases = chain
		}
		if err != nil {
			failure = cmp.Or(failure, err)
			if kind := KindOf(err); kind == NoSuchName || kind == NotAName {
				break
			}
			continue
		}
		for _, rr := range records {
			if a, ok := addressOf(rr); ok && !slices.Contains(found, a) {
				found = append(found, a)
			}
		}
	}
	if len(found) > 0 {
		failure = nil
	}
	return found, aliases, failure
}

func addressOf(rr dns.RR) (a netip.Addr, ok bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok = netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// TXT returns the texts of a name, aliases followed, each joined from its
// parts (RFC 1035 section 3.3.14).
func (r *Resolver) TXT(ctx context.Context, name string) ([]string, error) {
	records, _, err := r.follow(ctx, name, dns.TypeTXT)
	var out []string
	for _, rr := range records {
		if txt, ok := rr.(*dns.TXT); ok {
			out = append(out, unescape(strings.Join(txt.Txt, "")))
		}
	}
	return out, err
}

// CNAME returns what a name is an alias of, without its last dot, and the empty
// string where it is none, or where there is no such name.
func (r *Resolver) CNAME(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	full, ok := absolute(name)
	if !ok {
		return "", told(&Error{Kind: NotAName}, full, dns.TypeCNAME)
	}
	m, err := r.ask(ctx, full, dns.TypeCNAME)
	if KindOf(err) == NoSuchName {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	to, err := aliasOf(m, full)
	return strings.TrimSuffix(to.target, "."), err
}

// Zone returns the zone that a name lies in, without its last dot: the nearest
// name with an SOA record (RFC 1034 section 4.2).
func (r *Resolver) Zone(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	full, ok := absolute(name)
	if !ok {
		return "", told(&Error{Kind: NotAName}, full, dns.TypeSOA)
	}
	for at := full; at != ""; at = parent(at) {
		m, err := r.ask(ctx, at, dns.TypeSOA)
		if err != nil && KindOf(err) != NoSuchName {
			return "", err
		}
		for _, rr := range slices.Concat(m.Answer, m.Ns) {
			owner := strings.ToLower(rr.Header().Name)
			if _, ok := rr.(*dns.SOA); ok && owner != "." && dns.IsSubDomain(owner, at) {
				return strings.TrimSuffix(owner, "."), nil
			}
		}
	}
	return "", told(&Error{Kind: NoSuchName, Detail: "no zone contains it"}, full, dns.TypeSOA)
}

// follow returns the records of a type that a name leads to, and the aliases on
// the way.
func (r *Resolver) follow(ctx context.Context, host string, qtype uint16) (records []dns.RR, chain []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	name, ok := absolute(host)
	if !ok {
		return nil, nil, told(&Error{Kind: NotAName}, name, qtype)
	}
	t, err := r.trace(ctx, name, qtype, recordsMost)
	return t.records, t.chain, err
}

// hasSOA reports whether the answer is complete: that there is nothing is said
// by the zone's SOA record (RFC 2308).
func hasSOA(m *dns.Msg) bool {
	return slices.ContainsFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeSOA })
}

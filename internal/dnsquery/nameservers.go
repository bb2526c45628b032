package dnsquery

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"
)

const (
	// nameServersMost bounds the servers of a zone that are looked up. The root
	// itself has 13.
	nameServersMost = 13

	// serverAddressesMost bounds the addresses of all of them.
	serverAddressesMost = 16

	nameServerPort = 53
)

// NameServers returns where the servers of a zone itself answer: what they say
// is how things are, while a resolver may still know how they were (RFC 2308).
// Each is for a Resolver of its own. A server without an address is
// left out; a zone without any server is no error.
func (r *Resolver) NameServers(ctx context.Context, zone string) ([]string, error) {
	records, _, err := r.follow(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, rr := range records[:min(len(records), nameServersMost)] {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		addresses, _, err := r.Addresses(ctx, ns.Ns)
		if ctx.Err() != nil {
			return nil, err
		}
		for _, a := range addresses {
			if len(out) < serverAddressesMost {
				out = append(out, netip.AddrPortFrom(a, nameServerPort).String())
			}
		}
	}
	return out, nil
}

package dnsquery

import (
	"context"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// EveryAddress returns the A and AAAA records of a host, aliases followed, each
// address once. A host without addresses is no error. Unlike Addresses it fails
// where either type does: half an answer would take from whoever relies on it
// the addresses of the other half.
func (r *Resolver) EveryAddress(ctx context.Context, host string) ([]netip.Addr, error) {
	var found []netip.Addr
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		records, _, err := r.follow(ctx, host, qtype)
		if err != nil {
			return nil, err
		}
		for _, rr := range records {
			if a, ok := addressOf(rr); ok && !slices.Contains(found, a) {
				found = append(found, a)
			}
		}
	}
	return found, nil
}

package gateway

import (
	"log/slog"
	"maps"
	"slices"

	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// keptPairs are pairs that were taken out of the files while hosts that they
// served wait for their first certificate by ACME. A fleet that moves from files
// to ACME would else refuse its clients for as long as the budget takes.
type keptPairs struct {
	pairs tenantPairs
	waits map[string]string // tenants by the host that waits
	log   *slog.Logger
}

// dropped returns the pairs of f that o has no more.
func (f tenantPairs) dropped(o tenantPairs) tenantPairs {
	gone := make(tenantPairs)
	for tenant, pairs := range f {
		for _, c := range pairs {
			if !slices.ContainsFunc(o[tenant], func(d *tlsconfig.Certificate) bool { return sameChain(c, d) }) {
				gone[tenant] = append(gone[tenant], c)
			}
		}
	}
	return gone
}

// keep goes on with those of the former pairs, and of the pairs kept already,
// that a host of the tree waits under. It returns the tenants whose pairs
// changed.
func (k *keptPairs) keep(former, acme tenantPairs, l *loaded) []string {
	before := k.pairs
	for tenant, pairs := range before {
		former[tenant] = append(former[tenant], pairs...)
	}
	k.waits, k.pairs = map[string]string{}, make(tenantPairs)
	if len(former) == 0 {
		return nil
	}
	for _, t := range l.table.Tenants() {
		held := namesOf(acme[t.ID()])
		for _, h := range t.Hosts() {
			if h.CertificateSource() == tenancy.ACME && !held[h.Name()] {
				k.waits[h.Name()] = t.ID()
			}
		}
	}
	k.pairs = k.needed(former)
	for tenant, pairs := range k.pairs {
		for _, c := range pairs {
			if !slices.Contains(before[tenant], c) {
				k.log.Warn("a pair was taken out of the files while hosts that it serves have no certificate by acme yet; it serves them until they have, and not over a restart",
					"pair", c.Source(), "tenant", tenant, "names", c.Names())
			}
		}
	}
	return k.pairs.differing(before)
}

// release lets go of what no host waits under any more, now that ACME holds
// these for the tenants that it names. It returns the tenants whose pairs
// changed.
func (k *keptPairs) release(changed tenantPairs) []string {
	if len(k.pairs) == 0 {
		return nil
	}
	for tenant, certificates := range changed {
		held := namesOf(certificates)
		maps.DeleteFunc(k.waits, func(host, owner string) bool { return owner == tenant && held[host] })
	}
	before := k.pairs
	k.pairs = k.needed(before)
	return k.pairs.differing(before)
}

// needed returns the pairs that a waiting host is served with: its own tenant's,
// or those of the main file.
func (k *keptPairs) needed(pairs tenantPairs) tenantPairs {
	needed := make(tenantPairs)
	for tenant, own := range pairs {
		for _, c := range own {
			for host, owner := range k.waits {
				if (tenant == "" || tenant == owner) && c.Covers(host) {
					needed[tenant] = append(needed[tenant], c)
					break
				}
			}
		}
	}
	return needed
}

// namesOf returns the names that certificates carry; those by ACME carry just
// the host that they are for.
func namesOf(certificates []*tlsconfig.Certificate) map[string]bool {
	names := make(map[string]bool, len(certificates))
	for _, c := range certificates {
		for _, name := range c.Names() {
			names[name] = true
		}
	}
	return names
}

package gateway

import (
	"log/slog"
	"maps"
	"slices"
	"strings"

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
			if h.CertificateSource() == tenancy.ACME && !held.serve(h.Name()) {
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
		maps.DeleteFunc(k.waits, func(host, owner string) bool { return owner == tenant && held.serve(host) })
	}
	before := k.pairs
	k.pairs = k.needed(before)
	return k.pairs.differing(before)
}

// ownedName is a name as a certificate carries it, and whose certificates count.
type ownedName struct{ tenant, name string }

// needed returns the pairs that a waiting host is served with: its own tenant's,
// or those of the main file. It costs a look at each host and at each pair.
func (k *keptPairs) needed(pairs tenantPairs) tenantPairs {
	waiting := make(map[ownedName]bool, 4*len(k.waits))
	for host, owner := range k.waits {
		for _, name := range []string{host, wildcardOf(host)} {
			waiting[ownedName{owner, name}], waiting[ownedName{"", name}] = true, true
		}
	}
	needed := make(tenantPairs)
	for tenant, own := range pairs {
		for _, c := range own {
			if slices.ContainsFunc(c.Names(), func(name string) bool { return waiting[ownedName{tenant, name}] }) {
				needed[tenant] = append(needed[tenant], c)
			}
		}
	}
	return needed
}

// heldNames are the names that certificates carry.
type heldNames map[string]bool

func namesOf(certificates []*tlsconfig.Certificate) heldNames {
	names := make(heldNames, len(certificates))
	for _, c := range certificates {
		for _, name := range c.Names() {
			names[name] = true
		}
	}
	return names
}

// serve reports whether one of the certificates is for a host.
func (n heldNames) serve(host string) bool { return n[host] || n[wildcardOf(host)] }

// wildcardOf is the name of a wildcard that is for a host, or the host itself
// where it is one.
func wildcardOf(host string) string {
	_, parent, _ := strings.Cut(host, ".")
	return "*." + parent
}

package gateway

import (
	"crypto/tls"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// internalSource is what leaves of the internal CA say they come from.
const internalSource = "internal CA"

// presenter keeps the certificate index up to date from its three sources:
// files, which change with a reload; the internal CA, whose leaves renew by
// themselves; and ACME, tenant by tenant.
type presenter struct {
	log     *slog.Logger
	publish func(*tlsconfig.Index)

	mu     sync.Mutex
	index  *tlsconfig.Index // what is published
	files  tenantPairs
	coming tenantPairs // those of the tree that is about to be applied
	leaves []*tlsconfig.Certificate
	byPair map[*tls.Certificate]*tlsconfig.Certificate // leaves by what they were made of
	acme   tenantPairs
	kept   keptPairs
}

// tenantPairs are certificates by the tenant that alone may use them; "" has
// those that every tenant may, which are the main file's and the internal CA's.
type tenantPairs map[string][]*tlsconfig.Certificate

func pairsOf(l *loaded) tenantPairs {
	pairs := make(tenantPairs)
	if len(l.pairs.certificates) > 0 {
		pairs[""] = l.pairs.certificates
	}
	for _, t := range l.table.Tenants() {
		if own := t.Certificates(); len(own) > 0 {
			pairs[t.ID()] = own
		}
	}
	return pairs
}

// differing lists the tenants whose pairs are not the same in both.
func (f tenantPairs) differing(o tenantPairs) []string {
	var tenants []string
	for tenant, pairs := range f {
		if !slices.EqualFunc(pairs, o[tenant], sameChain) {
			tenants = append(tenants, tenant)
		}
	}
	for tenant := range o {
		if _, both := f[tenant]; !both {
			tenants = append(tenants, tenant)
		}
	}
	return tenants
}

// prepare presents the pairs of a tree beside those in use. A host that moves
// from one source to the other has a certificate at every moment: its former
// one goes with [presenter.setFiles], when the tree is in use.
func (p *presenter) prepare(next *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pairs := pairsOf(next)
	if changed := pairs.differing(p.files); len(changed) > 0 {
		p.coming = pairs
		p.present(changed)
	}
}

// setFiles presents the pairs of the tree in use and no others.
func (p *presenter) setFiles(l *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pairs := pairsOf(l)
	changed := pairs.differing(p.files)
	if p.coming != nil {
		changed = append(changed, p.coming.differing(p.files)...)
	}
	changed = append(changed, p.kept.keep(p.files.dropped(pairs), p.acme, l)...)
	p.files, p.coming = pairs, nil
	if len(changed) > 0 {
		p.present(changed)
	}
}

// setACME takes over all certificates that ACME holds for some tenants. It is
// called by one goroutine at a time.
func (p *presenter) setACME(changed map[string][]*tlsconfig.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.acme == nil {
		p.acme = make(tenantPairs, len(changed))
	}
	for tenant, own := range changed {
		if len(own) == 0 {
			delete(p.acme, tenant)
		} else {
			p.acme[tenant] = own
		}
	}
	touched := slices.Collect(maps.Keys(changed))
	p.present(append(touched, p.kept.release(changed)...))
}

// setLeaves takes over all leaves of the internal CA.
func (p *presenter) setLeaves(leaves []*tls.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := make(map[*tls.Certificate]*tlsconfig.Certificate, len(leaves))
	p.leaves = make([]*tlsconfig.Certificate, 0, len(leaves))
	for _, leaf := range leaves {
		c := p.byPair[leaf]
		if c == nil {
			var err error
			if c, err = tlsconfig.FromTLS(internalSource, leaf); err != nil {
				p.log.Error("a leaf of the internal CA cannot be used; its host is refused until the next renewal", "err", err)
				continue
			}
		}
		known[leaf] = c
		p.leaves = append(p.leaves, c)
	}
	p.byPair = known
	p.present([]string{""})
}

// present publishes what is held now for these tenants, beside what the index
// has for the others. The caller holds the lock.
func (p *presenter) present(tenants []string) {
	changed := make(map[string][]*tlsconfig.Certificate, len(tenants))
	for _, tenant := range tenants {
		own := slices.Concat(p.files[tenant], p.coming[tenant], p.acme[tenant], p.kept.pairs[tenant])
		if tenant == "" {
			own = append(own, p.leaves...)
		}
		changed[tenant] = own
	}
	p.index = p.index.With(changed)
	p.publish(p.index)
}

// internalNames lists the hosts that the internal CA issues for, sorted.
func internalNames(t *tenancy.Table) []string {
	var names []string
	for h := range t.Hosts() {
		if h.CertificateSource() == tenancy.InternalCA {
			names = append(names, h.Name())
		}
	}
	slices.Sort(names)
	return names
}

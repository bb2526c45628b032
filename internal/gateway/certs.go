package gateway

import (
	"crypto/tls"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// internalSource is what leaves of the internal CA say they come from.
const internalSource = "internal CA"

// presenter keeps the certificate index up to date from its two sources: files,
// which change with a reload, and the internal CA, whose leaves renew by
// themselves.
type presenter struct {
	log     *slog.Logger
	publish func(*tlsconfig.Index)

	mu     sync.Mutex
	shared []*tlsconfig.Certificate
	owned  map[string][]*tlsconfig.Certificate // by tenant
	leaves []*tlsconfig.Certificate
}

// setFiles takes over the pairs of a compiled tree.
func (p *presenter) setFiles(l *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared = l.shared.certificates
	p.owned = make(map[string][]*tlsconfig.Certificate)
	for _, t := range l.table.Tenants() {
		if own := t.Certificates(); len(own) > 0 {
			p.owned[t.ID()] = own
		}
	}
	p.rebuild()
}

// setLeaves takes over all leaves of the internal CA.
func (p *presenter) setLeaves(leaves []*tls.Certificate) {
	certificates := make([]*tlsconfig.Certificate, 0, len(leaves))
	for _, leaf := range leaves {
		c, err := tlsconfig.FromTLS(internalSource, leaf)
		if err != nil {
			p.log.Error("a leaf of the internal CA cannot be used; its host is refused until the next renewal", "err", err)
			continue
		}
		certificates = append(certificates, c)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaves = certificates
	p.rebuild()
}

// rebuild publishes the index of what is held now. The caller holds the lock.
func (p *presenter) rebuild() {
	scoped := make(map[string][]*tlsconfig.Certificate, len(p.owned)+1)
	for tenant, own := range p.owned {
		scoped[tenant] = own
	}
	scoped[""] = slices.Concat(p.shared, p.leaves)
	p.publish(tlsconfig.NewIndex(scoped))
}

// soon is how long before its end a certificate from a file is said to expire.
const soon = 14 * 24 * time.Hour

// status lists what is presented, by name.
func (p *presenter) status(now time.Time) []admin.CertificateStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []admin.CertificateStatus{}
	add := func(tenant string, certificates []*tlsconfig.Certificate, warn time.Duration) {
		for _, c := range certificates {
			list = append(list, admin.CertificateStatus{
				Names: c.Names(), Tenant: tenant, Source: c.Source(), NotAfter: c.NotAfter(), State: stateOf(c, now, warn),
			})
		}
	}
	add("", p.shared, soon)
	for tenant, own := range p.owned {
		add(tenant, own, soon)
	}
	add("", p.leaves, 0) // they live for a week and renew by themselves
	slices.SortFunc(list, func(a, b admin.CertificateStatus) int { return slices.Compare(a.Names, b.Names) })
	return list
}

func stateOf(c *tlsconfig.Certificate, now time.Time, warn time.Duration) string {
	switch left := c.NotAfter().Sub(now); {
	case left <= 0:
		return "expired"
	case left < warn:
		return "expires soon"
	}
	return "valid"
}

// expiry returns when the pairs from files end, for the metric; leaves of the
// internal CA are summed up by the earliest.
func (p *presenter) expiry() map[string]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := make(map[string]time.Time)
	note := func(c *tlsconfig.Certificate) {
		if end, ok := ends[c.Source()]; !ok || c.NotAfter().Before(end) {
			ends[c.Source()] = c.NotAfter()
		}
	}
	for _, c := range slices.Concat(p.shared, p.leaves) {
		note(c)
	}
	for _, own := range p.owned {
		for _, c := range own {
			note(c)
		}
	}
	return ends
}

// internalNames lists the hosts that the internal CA issues for.
func internalNames(t *tenancy.Table) []string {
	var names []string
	for h := range t.Hosts() {
		if h.CertificateSource() == tenancy.InternalCA {
			names = append(names, h.Name())
		}
	}
	return names
}

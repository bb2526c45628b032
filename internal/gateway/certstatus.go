package gateway

import (
	"cmp"
	"slices"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/tlsconfig"
)

const (
	// soon is how long before its end a certificate from a file is said to
	// expire.
	soon = 14 * 24 * time.Hour

	// needsShown is how many certificates that need somebody status names: a
	// screen; `gatehouse certs` has them all.
	needsShown = 20
)

// status lists what is presented from files and from the internal CA.
func (p *presenter) status(now time.Time) []admin.CertificateStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []admin.CertificateStatus{}
	add := func(tenant string, certificates []*tlsconfig.Certificate, warn time.Duration) {
		for _, c := range certificates {
			leaf := c.TLS().Leaf
			list = append(list, admin.CertificateStatus{
				Names: c.Names(), Tenant: tenant, Source: c.Source(), State: stateOf(c, now, warn),
				Issuer: leaf.Issuer.CommonName, Serial: leaf.SerialNumber.Text(16), NotBefore: c.NotBefore(), NotAfter: c.NotAfter(),
			})
		}
	}
	for tenant, pairs := range p.files {
		add(tenant, pairs, soon)
	}
	for tenant, pairs := range p.kept.pairs {
		add(tenant, pairs, soon)
	}
	add("", p.leaves, 0) // they live for a week and renew by themselves
	sortCertificates(list)
	return list
}

func sortCertificates(list []admin.CertificateStatus) {
	slices.SortFunc(list, func(a, b admin.CertificateStatus) int {
		return cmp.Or(slices.Compare(a.Names, b.Names), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Source, b.Source))
	})
}

func stateOf(c *tlsconfig.Certificate, now time.Time, warn time.Duration) string {
	switch left := c.NotAfter().Sub(now); {
	case left <= 0:
		return "expired"
	case now.Before(c.NotBefore()):
		return "not-valid-yet"
	case left < warn:
		return "expires-soon"
	}
	return "valid"
}

// certificates lists every certificate and every host that is to have one, by
// name.
func (g *gateway) certificates() []admin.CertificateStatus {
	now := time.Now()
	list := append(g.presenter.status(now), g.acmeStatus(now)...)
	sortCertificates(list)
	return list
}

// summary counts certificates by state and names those that need somebody.
func summary(list []admin.CertificateStatus) admin.CertificateSummary {
	s := admin.CertificateSummary{States: map[string]int{}, Needs: []admin.CertificateStatus{}}
	for _, c := range list {
		s.States[c.State]++
		if c.NeedsSomebody() {
			s.Needs = append(s.Needs, c)
		}
	}
	order := admin.CertificateStates()
	slices.SortStableFunc(s.Needs, func(a, b admin.CertificateStatus) int {
		return cmp.Compare(slices.Index(order, a.State), slices.Index(order, b.State))
	})
	if len(s.Needs) > needsShown {
		s.More = len(s.Needs) - needsShown
		s.Needs = slices.Clip(s.Needs[:needsShown])
	}
	return s
}

// expiry returns, for each tenant that has pairs from files, when the first of
// them ends. Leaves of the internal CA are left out: they live for a week and
// would hide the end of a pair that somebody must renew. Those of ACME have
// metrics of their own.
func (p *presenter) expiry() map[string]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	ends := make(map[string]time.Time, len(p.files))
	for tenant, pairs := range p.files {
		first := slices.MinFunc(pairs, func(a, b *tlsconfig.Certificate) int { return a.NotAfter().Compare(b.NotAfter()) })
		ends[tenant] = first.NotAfter()
	}
	return ends
}

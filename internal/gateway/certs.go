package gateway

import (
	"cmp"
	"crypto/tls"
	"log/slog"
	"maps"
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
	files  filePairs
	coming filePairs // those of the tree that is about to be applied
	leaves []*tlsconfig.Certificate
	byPair map[*tls.Certificate]*tlsconfig.Certificate // leaves by what they were made of
}

// filePairs are the pairs from files, by tenant; "" has the main file's.
type filePairs map[string][]*tlsconfig.Certificate

func pairsOf(l *loaded) filePairs {
	pairs := make(filePairs)
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

func (f filePairs) equal(o filePairs) bool {
	return maps.EqualFunc(f, o, func(a, b []*tlsconfig.Certificate) bool { return slices.EqualFunc(a, b, sameChain) })
}

// prepare presents the pairs of a tree beside those in use. A host that moves
// from one source to the other has a certificate at every moment: its former
// one goes with [presenter.setFiles], when the tree is in use.
func (p *presenter) prepare(next *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pairs := pairsOf(next); !pairs.equal(p.files) {
		p.coming = pairs
		p.rebuild()
	}
}

// setFiles presents the pairs of the tree in use and no others.
func (p *presenter) setFiles(l *loaded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pairs := pairsOf(l); p.coming != nil || !pairs.equal(p.files) {
		p.files, p.coming = pairs, nil
		p.rebuild()
	}
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
	p.rebuild()
}

// rebuild publishes the index of what is held now. The caller holds the lock.
func (p *presenter) rebuild() {
	scoped := make(map[string][]*tlsconfig.Certificate, len(p.files)+1)
	for _, pairs := range []filePairs{p.files, p.coming} {
		for tenant, own := range pairs {
			scoped[tenant] = append(slices.Clip(scoped[tenant]), own...)
		}
	}
	scoped[""] = slices.Concat(scoped[""], p.leaves)
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
	for tenant, pairs := range p.files {
		add(tenant, pairs, soon)
	}
	add("", p.leaves, 0) // they live for a week and renew by themselves
	slices.SortFunc(list, func(a, b admin.CertificateStatus) int {
		return cmp.Or(slices.Compare(a.Names, b.Names), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Source, b.Source))
	})
	return list
}

func stateOf(c *tlsconfig.Certificate, now time.Time, warn time.Duration) string {
	switch left := c.NotAfter().Sub(now); {
	case left <= 0:
		return "expired"
	case now.Before(c.NotBefore()):
		return "not valid yet"
	case left < warn:
		return "expires soon"
	}
	return "valid"
}

// expiry returns, for each tenant that has pairs from files, when the first of
// them ends. Leaves of the internal CA are left out: they live for a week and
// would hide the end of a pair that somebody must renew.
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

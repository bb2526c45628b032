package acme

import (
	"context"
	"slices"
	"strings"
	"time"

	"gatehouse/tlsconfig"
)

const (
	// publishGap is the shortest time between two calls of Publish: a thousand
	// certificates in a minute become some hundred changes of the index.
	publishGap = 500 * time.Millisecond

	// publishShare keeps the time that is spent on publishing below a tenth.
	publishShare = 10
)

// publishLater notes that the certificates of a tenant changed.
func (m *Manager) publishLater(tenant string) {
	m.stale[tenant] = true
	signal(m.printed)
}

// publisher hands out what changed, until ctx is done.
func (m *Manager) publisher(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.printed:
		}
		began := time.Now()
		m.publish()
		if wait(ctx, max(publishGap, publishShare*time.Since(began))) != nil {
			return
		}
	}
}

// publish hands out all certificates of the tenants where something changed.
func (m *Manager) publish() {
	m.mu.Lock()
	changed := make(map[string][]*tlsconfig.Certificate, len(m.stale))
	for tenant := range m.stale {
		changed[tenant] = []*tlsconfig.Certificate{}
	}
	var names []*entry
	for _, e := range m.hosts {
		if m.stale[e.Tenant] && e.held != nil && (e.wanted || !m.named) {
			names = append(names, e)
		}
	}
	slices.SortFunc(names, func(a, b *entry) int { return strings.Compare(a.Name, b.Name) })
	for _, e := range names {
		changed[e.Tenant] = append(changed[e.Tenant], e.held.certificate)
	}
	clear(m.stale)
	m.mu.Unlock()
	if len(changed) > 0 {
		m.o.Publish(changed)
	}
}

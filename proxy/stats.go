package proxy

import "time"

// Stats counts what is open at one moment.
type Stats struct {
	Tenants map[string]TenantStats // by id
	Limits  map[string][]LimitUse  // by id, of tenants that have any
	Pools   map[string][]PoolStats // by id
	Parts   map[string][]MeansPart // by id, of tenants that hold any
	Means   []MeansUse

	Canaries map[string][]CanaryStats // by id, of tenants that have any
}

// TenantStats counts what is open of one tenant.
type TenantStats struct {
	Connections int // TLS connections of clients
	InFlight    int // requests in progress, open WebSockets included
}

// Stats counts what is open now, by tenant. It looks at every connection: it is
// for people, not for each scrape.
func (s *Server) Stats() Stats {
	stats := Stats{
		Tenants: make(map[string]TenantStats), Limits: s.limitUses(), Pools: s.poolStats(time.Now()),
		Canaries: s.canaryStats(), Parts: s.partsOf(), Means: s.means.uses(),
	}
	s.registry.each(func(w *watch) {
		c := w.conn
		if !c.settled.Load() || c.peer.tenantID == "" {
			return
		}
		t := stats.Tenants[c.peer.tenantID]
		if w == &c.watch {
			t.Connections++
		}
		if w.inFlight() {
			t.InFlight++
		}
		stats.Tenants[c.peer.tenantID] = t
	})
	return stats
}

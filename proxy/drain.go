package proxy

import (
	"maps"
	"slices"
	"time"
)

// drain has the pools of the snapshot take out of the rotation what operators
// have drained, and take back what they no longer have. The caller has not
// stored the snapshot yet.
func (n *snapshot) drain(old *snapshot) {
	now := time.Now()
	tenants := slices.Collect(maps.Keys(n.drains))
	if old != nil {
		for tenant := range old.drains {
			if _, still := n.drains[tenant]; !still {
				tenants = append(tenants, tenant)
			}
		}
	}
	for _, tenant := range tenants {
		if run := n.of(n.table.Tenant(tenant)); run != nil {
			for _, p := range run.distinct {
				p.Drain(n.drains[tenant], now)
			}
			for _, p := range run.retired {
				p.Drain(n.drains[tenant], now)
			}
		}
	}
}

// InFlight counts the requests in progress of a tenant, open WebSockets
// included: those that wait for a backend as well, or, where backend is not "",
// those that the backends of that address have. Refusals do not count.
func (s *Server) InFlight(tenant, backend string) int {
	sum := 0
	if backend == "" {
		s.registry.each(func(w *watch) {
			if w.conn.settled.Load() && w.conn.peer.tenantID == tenant && w.inFlight() {
				sum++
			}
		})
		return sum
	}
	snap := s.snapshot()
	run := snap.of(snap.table.Tenant(tenant))
	if run == nil {
		return 0
	}
	for _, p := range run.distinct {
		sum += p.InFlight(backend)
	}
	for _, p := range run.retired {
		sum += p.InFlightUnadopted(backend)
	}
	return sum
}

// Pools describes the pools of a tenant; none of one that is not served.
func (s *Server) Pools(tenant string) []PoolStats {
	snap := s.snapshot()
	run := snap.of(snap.table.Tenant(tenant))
	if run == nil {
		return nil
	}
	return run.poolStats(time.Now())
}

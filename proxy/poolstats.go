package proxy

import (
	"time"

	"gatehouse/internal/pool"
)

// PoolStats is a pool of a tenant as it stands.
type PoolStats struct {
	Route    string // the first route that has it
	Plan     *pool.Plan
	Backends []pool.BackendStatus
}

// poolStats describes the pools of every tenant, by its id.
func (s *Server) poolStats(now time.Time) map[string][]PoolStats {
	all := make(map[string][]PoolStats)
	snap := s.snapshot()
	if snap == nil {
		return all
	}
	for tenant, run := range snap.running {
		first := make(map[*pool.Pool]string, len(run.distinct))
		for _, r := range tenant.Routes() {
			if p := run.pools[r.Index()]; first[p] == "" {
				first[p] = r.Prefix()
			}
		}
		list := make([]PoolStats, len(run.distinct))
		for i, p := range run.distinct {
			list[i] = PoolStats{first[p], p.Plan(), p.Status(now)}
		}
		all[tenant.ID()] = list
	}
	return all
}

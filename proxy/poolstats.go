package proxy

import (
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
)

// PoolStats is a pool of a tenant as it stands.
type PoolStats struct {
	Route    string // the first route that has it
	Label    string // what tells it from the others of its tenant, like "pool:next canary"
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
		all[tenant.ID()] = run.poolStats(now)
	}
	return all
}

func (r *running) poolStats(now time.Time) []PoolStats {
	list := make([]PoolStats, len(r.distinct))
	for i, p := range r.distinct {
		list[i] = PoolStats{r.routes[i], r.labels[i], p.Plan(), p.Status(now)}
	}
	return list
}

// poolBackends is what scrapes are told. A backend that is alone and not looked
// at is up, whatever happens; ten thousand tenants of that kind have nothing to
// tell.
func (r *running) poolBackends() []metrics.PoolBackends {
	var list []metrics.PoolBackends
	now := time.Now()
	for i, p := range r.distinct {
		if alone(p.Plan()) {
			continue
		}
		status := p.Status(now)
		counts := map[pool.Standing]int{pool.Up: 0}
		for _, b := range status {
			counts[b.Standing]++
		}
		for st, n := range counts {
			list = append(list, metrics.PoolBackends{Route: r.labels[i], State: string(st), Count: n})
		}
	}
	return list
}

// alone reports whether a plan has one place that takes requests whatever happens.
func alone(plan *pool.Plan) bool {
	if len(plan.Backends) > 1 || plan.Rules.Health.Path != "" || plan.Rules.Ejection.Last {
		return false
	}
	for _, b := range plan.Backends {
		if _, placed := b.Literal(); !placed {
			return false
		}
	}
	return true
}

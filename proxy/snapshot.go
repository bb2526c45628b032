package proxy

import (
	"time"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// snapshot is a table with the running half of each of its tenants. It is never
// written after it was stored; a request is judged by one and does not hold it.
type snapshot struct {
	table   *tenancy.Table
	running map[*tenancy.Tenant]*running
	limited []*running             // those with ceilings
	drains  map[string]pool.Drains // by tenant
}

// snapshot returns what is decided by now; nil before the first Apply.
func (s *Server) snapshot() *snapshot { return s.current.Load() }

// of returns the running half of a tenant of the snapshot; nil for nil.
func (n *snapshot) of(t *tenancy.Tenant) *running { return n.running[t] }

// Apply puts a table into use; everything that could fail has happened when it
// was compiled. Requests that have begun go on under the former table, with
// this exception: connections and requests of changed tenants that the new
// table does not admit any more are cut, and connections of tenants that have
// left the table get Options.Drain to finish. Those of an unchanged tenant
// notice nothing. Idle connections to backends are kept where the backends of a
// route stay the same.
func (s *Server) Apply(t *tenancy.Table) {
	s.applying.Lock()
	defer s.applying.Unlock()
	old := s.current.Load()
	next := s.newSnapshot(t, old)
	s.current.Store(next)
	s.retire(old, next)
	pools := next.pools()
	s.checks.Watch(pools)
	s.names.Watch(pools)
	now := time.Now()
	s.judgeOpen(next, func(tenantID string) bool {
		return old == nil || old.table.Tenant(tenantID) != t.Tenant(tenantID) || t.Suspends(tenantID) && !old.table.Suspends(tenantID) ||
			!t.ListsAlike(old.table, tenantID)
	}, now)
	s.noteUntil(t, now)
}

func (s *Server) newSnapshot(t *tenancy.Table, old *snapshot) *snapshot {
	tenants := t.Tenants()
	next := &snapshot{table: t, running: make(map[*tenancy.Tenant]*running, len(tenants)), drains: t.Drains()}
	for _, tenant := range tenants {
		r := s.run(tenant, old, next.drains[tenant.ID()])
		next.running[tenant] = r
		if len(r.levels) > 0 {
			next.limited = append(next.limited, r)
		}
	}
	next.drain(old)
	return next
}

// run returns the running half of a tenant: the former one if nothing about the
// tenant has changed.
func (s *Server) run(tenant *tenancy.Tenant, old *snapshot, drains pool.Drains) *running {
	if old == nil {
		return s.newRunning(tenant, nil, drains)
	}
	if same, ok := old.running[tenant]; ok {
		return same
	}
	return s.newRunning(tenant, old.running[old.table.Tenant(tenant.ID())], drains)
}

// retire closes the pools that the new snapshot has no use for, and takes
// removed tenants out of the metrics.
func (s *Server) retire(old, next *snapshot) {
	if old == nil {
		return
	}
	for tenant, former := range old.running {
		if next.running[tenant] == former {
			continue
		}
		successor := next.table.Tenant(tenant.ID())
		former.closeUnless(next.running[successor])
		if successor == nil {
			s.metrics.RemoveTenant(tenant.ID())
		}
	}
}

// pools returns those of all tenants.
func (n *snapshot) pools() []*pool.Pool {
	var all []*pool.Pool
	for _, r := range n.running {
		all = append(all, r.distinct...)
	}
	return all
}

// sweepPools closes backend connections that were idle for too long, and forgets
// clients that have not come for long.
func (s *Server) sweepPools(now time.Time) {
	snap := s.snapshot()
	if snap == nil {
		return
	}
	for _, r := range snap.running {
		for _, p := range r.distinct {
			p.Sweep(now)
		}
		r.logins.sweep(now, s.clock.at(now))
	}
	if shakers := s.shakers.Load(); shakers != nil {
		for _, k := range *shakers {
			k.Sweep(s.clock.at(now))
		}
	}
	for _, r := range snap.limited {
		for _, l := range r.levels {
			l.counted.clients.Sweep(s.clock.at(now))
		}
	}
}

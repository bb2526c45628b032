package proxy

import (
	"net/netip"
	"slices"

	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// running is the moving half of a tenant: what its routes need besides the
// table's decisions. It is built when a table is applied and then only read.
type running struct {
	metrics *metrics.Tenant
	// pools are the backends of the routes, by Route.Index; routes with the
	// same backends share one.
	pools []*pool.Pool
	// distinct holds each pool once.
	distinct []*pool.Pool
	keys     []string // of distinct, in the same order
	// places are those that the tenant has among all requests in progress.
	places *limit.Holder
	// bounds are the ceilings that a route lies below, by Route.Index; nil if the
	// tenant has none. counted are they by their names.
	bounds  [][]bound
	counted map[string]*ceiling
	levels  []bound // each once, a narrower one before those that are wider
}

// newRunning builds the running half of a tenant and adopts the pools of the
// former one that have the same backends. A pool never changes its tenant.
func (s *Server) newRunning(t *tenancy.Tenant, former *running) *running {
	routes := t.Routes()
	r := &running{metrics: s.metrics.Tenant(t.ID()), pools: make([]*pool.Pool, len(routes))}
	if r.places = new(limit.Holder); former != nil {
		r.places = former.places
	}
	for _, route := range routes {
		p := r.withKey(route.PoolKey())
		if p == nil {
			p = former.withKey(route.PoolKey())
			if p == nil {
				p = pool.New(t.ID()+" "+route.Prefix(), route.Backends(), pool.Options{Guard: s.mayDial})
			}
			r.distinct = append(r.distinct, p)
			r.keys = append(r.keys, route.PoolKey())
		}
		r.pools[route.Index()] = p
	}
	s.bind(r, routes, former)
	return r
}

// withKey returns the pool of these backends, nil if there is none.
func (r *running) withKey(key string) *pool.Pool {
	if r == nil {
		return nil
	}
	if i := slices.Index(r.keys, key); i >= 0 {
		return r.distinct[i]
	}
	return nil
}

// closeUnless closes every pool and ceiling that the successor has not adopted.
func (r *running) closeUnless(successor *running) {
	for name, c := range r.counted {
		if successor == nil || successor.counted[name] != c {
			c.clients.Close()
		}
	}
	for i, p := range r.distinct {
		if successor.withKey(r.keys[i]) != p {
			p.Close()
		}
	}
}

// mayDial judges a backend's address by the table in use when it is dialled.
func (s *Server) mayDial(to netip.AddrPort) error { return s.snapshot().table.MayDial(to) }

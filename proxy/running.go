package proxy

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"

	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// running is the moving half of a tenant: what its routes need besides the
// table's decisions. It is built when a table is applied and then only read.
type running struct {
	metrics *metrics.Tenant
	// receipts remembers its last requests.
	receipts *shelf
	// pools are the backends of the routes, by Route.Index; routes with the
	// same backends share one.
	pools []*pool.Pool
	// services are where auth services answer, by AuthService.Index.
	services []*pool.Pool
	// distinct holds each pool once.
	distinct []*pool.Pool
	// canaries are those of the routes, by Route.Index; nil if the tenant has none.
	canaries []*canary
	// mirrors are the same.
	mirrors []*mirror
	// retired are pools of former tables that were not adopted: those of the last one,
	// and of others while they have requests in progress.
	retired []*pool.Pool
	keys    []string // of distinct, in the same order
	routes  []string // the widest that has it, in the same order
	labels  []string // what tells them from others, in the same order
	party   *party   // what the tenant holds of the means
	// bounds are the ceilings that a route lies below, by Route.Index; nil if the
	// tenant has none. counted are they by their names.
	bounds  [][]bound
	counted map[string]*ceiling
	retries *retries
	sticky  *stickyKeys // nil where no client is kept with a backend
	logins  *logins     // nil if nobody has asked for a password
	levels  []bound     // each once, a narrower one before those that are wider
}

// newRunning builds the running half of a tenant and adopts the pools of the
// former one that have the same backends. A pool never changes its tenant.
func (s *Server) newRunning(t *tenancy.Tenant, former *running, drains pool.Drains) *running {
	routes := t.Routes()
	r := &running{metrics: s.metrics.Tenant(t.ID()), receipts: s.receipts.of(t.ID()), pools: make([]*pool.Pool, len(routes))}
	if r.retries = new(retries); former != nil {
		r.retries = former.retries
	}
	r.sticky = s.stickyOf(t)
	r.party = s.means.party(t.ID(), t.Weight(), former, r.metrics)
	r.metrics.Holds(r.party.holds)
	named := widestFirst(routes)
	labels := poolLabels(named)
	for _, route := range named {
		for _, plan := range route.Plans() {
			if p := former.withKey(plan.Key()); p != nil && r.withKey(plan.Key()) == nil {
				r.add(p, route, labels[plan.Key()])
			}
		}
	}
	r.adoptServices(t, former)
	build := poolBuilder{s, t, r, former, drains, labels}
	for _, route := range named {
		if route.Redirect() == nil { // otherwise it has no backends
			r.pools[route.Index()] = build.pool(route, route.Plan())
		}
	}
	build.canaries(named)
	build.mirrors(named)
	build.services()
	r.retire(former)
	r.metrics.Pools(r.poolBackends)
	s.bind(r, routes, former)
	r.logins = s.loginsOf(routes, former)
	return r
}

// poolBuilder makes the pools of a tenant's running half.
type poolBuilder struct {
	server *Server
	tenant *tenancy.Tenant
	into   *running
	former *running
	drains pool.Drains
	labels map[string]string // what the pools of routes are called, by Plan.Key
}

// pool returns the pool of a plan of a route, and makes it if there is none.
func (b *poolBuilder) pool(route *tenancy.Route, plan *pool.Plan) *pool.Pool {
	label := b.labels[plan.Key()]
	p, known := b.find(plan, label)
	if !known {
		b.into.add(p, route, label)
	}
	return p
}

// find returns the pool of a plan, or makes it, with what tells it from others.
func (b *poolBuilder) find(plan *pool.Plan, label string) (p *pool.Pool, known bool) {
	r := b.into
	if p := r.withKey(plan.Key()); p != nil {
		return p, true
	}
	// What the pool keeps must not lead back to a running half: each would keep the
	// one before it.
	s, m, owner, counts := b.server, b.server.means, r.party, r.metrics
	return pool.New(b.tenant.ID()+" "+label, plan, pool.Options{
		Guard:  b.server.mayDial,
		Names:  b.server.names,
		Owner:  b.tenant.ID(),
		Take:   func() bool { return m.take(owner, backendConns, 1) },
		Give:   func() { m.give(owner, backendConns, 1) },
		Place:  r.sticky.placing(),
		Drains: b.drains,
		Adopt:  func(key string) *pool.Member { return b.former.orphan(key, r) },
		Notify: func(c pool.Transition) { s.backendChanged(counts, c) },
	}), false
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
			c.retire()
		}
	}
	if r.logins != nil && (successor == nil || successor.logins != r.logins) {
		r.logins.close()
	}
	for i, p := range r.distinct {
		if successor.withKey(r.keys[i]) != p {
			p.Close()
		}
	}
}

func (r *running) add(p *pool.Pool, first *tenancy.Route, label string) {
	r.routes = append(r.routes, first.Prefix())
	r.labels = append(r.labels, label)
	r.distinct = append(r.distinct, p)
	r.keys = append(r.keys, p.Plan().Key())
}

// retire keeps the pools of the former running half that r has not adopted: what they
// have in progress counts when a backend is drained.
func (r *running) retire(former *running) {
	if former == nil {
		return
	}
	for _, p := range former.retired {
		if p.InFlightUnadopted("") > 0 {
			r.retired = append(r.retired, p)
		}
	}
	for i, p := range former.distinct {
		if r.withKey(former.keys[i]) != p {
			r.retired = append(r.retired, p)
		}
	}
}

// orphan returns a member of a pool that the successor does not adopt, and that
// no pool of the successor has adopted.
func (r *running) orphan(key string, successor *running) *pool.Member {
	if r == nil {
		return nil
	}
	for i, p := range r.distinct {
		if successor.withKey(r.keys[i]) == p {
			continue
		}
		if m := p.Orphan(key); m != nil {
			return m
		}
	}
	return nil
}

// backendChanged tells about a backend that gets requests again or none any
// more.
func (s *Server) backendChanged(counts *metrics.Tenant, c pool.Transition) {
	counts.BackendChanged(c.To == pool.Up)
	level := slog.LevelInfo
	if c.To != pool.Up {
		level = slog.LevelWarn
	}
	s.log.Log(context.Background(), level, "a backend is "+string(c.To), "pool", c.Pool, "backend", placeOf(c), "why", c.Why)
}

// mayDial judges a backend's address by the table in use when it is dialled.
func (s *Server) mayDial(to netip.AddrPort) error { return s.snapshot().table.MayDial(to) }

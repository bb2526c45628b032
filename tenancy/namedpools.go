package tenancy

import (
	"regexp"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// PoolRulesSpec is how backends are used, as written: on a level, or in a named
// pool.
type PoolRulesSpec struct {
	Balance   *pool.BalanceSpec                   `conf:"balance" default:"round_robin" doc:"how requests are shared out among backends: round_robin, least_requests, or a hash of what they carry" example:"least_requests"`
	Sticky    *pool.StickySpec                    `conf:"sticky" default:"off" doc:"a client stays with the backend that it was placed at: the name of the cookie that says which, or a map" example:"{cookie: app_place, max_age: 8h}"`
	Ejection  *pool.EjectionSpec                  `conf:"ejection" doc:"when a backend that fails requests gets none for a while; off: never" example:"{failures: 3, first: 30s}"`
	Breaker   *pool.BreakerSpec                   `conf:"circuit_breaker" default:"off" doc:"how much each backend is given to do at a time; what is more goes to another one, or is 503" example:"{connections: 100, pending: 20}" off:"{connections: off, pending: off}"`
	Health    *pool.HealthSpec                    `conf:"health" default:"off" doc:"looking at backends without waiting for a client's request" example:"/healthz"`
	SlowStart conf.At[conf.OrOff[pool.SlowStart]] `conf:"slow_start" default:"off" doc:"for how long a backend that has come up gets less than its weight says, 1s to 1h: a tenth at first; not where requests are placed by hash" example:"30s"`
}

// PoolSpec is a named pool as written. What it does not say about how its
// backends are used is as the tenant says; what hosts and routes say does not
// reach into it, so that it is one pool wherever it is named.
type PoolSpec struct {
	Pos      conf.Pos
	Backends conf.OneOrMany[pool.BackendSpec] `conf:"backends,required" doc:"the pool's backends, as a tenant's" example:"[http://10.4.2.10:8080]"`
	PoolRulesSpec
}

const (
	// poolMark stands before the name of a pool where backends may stand.
	poolMark = "pool:"
	// poolsMost bounds the named pools of a tenant, each of which status and
	// metrics show. Whoever moves between clusters has two.
	poolsMost = 100
)

// poolNames is what a pool may be called, so that pool:NAME reads as one word.
var poolNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// namedPlan is a named pool, compiled.
type namedPlan struct {
	plan *pool.Plan
	pos  conf.Pos
	used bool
}

// compile returns the merged rules.
func (s *PoolRulesSpec) compile() pool.Rules {
	rules := pool.Rules{Balance: s.Balance.Compile(), Ejection: s.Ejection.Compile(), Health: s.Health.Compile(), Sticky: s.Sticky.Compile(), Breaker: s.Breaker.Compile()}
	if !s.SlowStart.V.Off {
		rules.SlowStart = s.SlowStart.V.V
	}
	return rules
}

// poolName returns the name of the pool that stands in place of a backend's URL.
func poolName(spec *pool.BackendSpec) (name string, ok bool) {
	return strings.CutPrefix(spec.URL.V, poolMark)
}

// namedPool returns the name of the pool that stands in place of a list; the
// name is At's value.
func namedPool(list conf.OneOrMany[pool.BackendSpec]) (at conf.At[string], ok bool) {
	if len(list.Items) != 1 {
		return at, false
	}
	spec := &list.Items[0].V
	name, ok := poolName(spec)
	if alone := (pool.BackendSpec{URL: spec.URL}); !ok || *spec != alone {
		return at, false
	}
	return conf.At[string]{V: name, Pos: spec.URL.Pos}, true
}

// compilePools compiles the tenant's pools, those that nothing names as well:
// their mistakes shall be known before somebody moves to them.
func (b *builder) compilePools() {
	specs := b.v.spec.Pools
	if len(specs) > poolsMost {
		b.overfull = true
		b.report.Fault(specs[poolsMost].Pos, "", "%d pools; expected at most %d", len(specs), poolsMost)
		return
	}
	b.named = make(map[string]*namedPlan, len(specs))
	for i := range specs {
		entry := &specs[i]
		if !poolNames.MatchString(entry.Key) {
			b.report.Fault(entry.Pos, "", "pool %q is no name; expected up to 63 letters, digits, dots, hyphens and underscores", entry.Key)
		}
		b.named[entry.Key] = &namedPlan{b.compilePool(entry.Key, &entry.V), entry.Pos, false}
	}
}

func (b *builder) compilePool(name string, spec *PoolSpec) *pool.Plan {
	if at, ok := namedPool(spec.Backends); ok {
		b.report.Fault(at.Pos, "", "pool %q has %q for its backends; expected URLs", name, poolMark+at.V)
		return new(pool.Plan)
	}
	if !spec.Backends.Set() {
		return new(pool.Plan) // reading it was a fault
	}
	rules := b.settings.PoolRulesSpec
	b.w.decoder.Merge(&rules, &spec.PoolRulesSpec)
	b.noteHalves(spec.halves(), rules.halves())
	return b.compilePlan(spec.Backends, &rules).Named(name)
}

// planNamed returns the plan of the pool that is named at a place.
func (b *builder) planNamed(at conf.At[string]) *pool.Plan {
	if known := b.named[at.V]; known != nil {
		known.used = true
		return known.plan
	}
	names := make([]string, 0, len(b.v.spec.Pools))
	for i := range b.v.spec.Pools {
		names = append(names, b.v.spec.Pools[i].Key)
	}
	b.report.Fault(at.Pos, conf.DidYouMean(at.V, names), "there is no pool %q; expected one of pools of this tenant", at.V)
	return new(pool.Plan)
}

// noteUnusedPools tells about pools that get no requests.
func (b *builder) noteUnusedPools() {
	for i := range b.v.spec.Pools {
		if p := b.named[b.v.spec.Pools[i].Key]; p != nil && !p.used {
			b.report.Note(p.pos, "", "nothing names the pool %q, so it gets no requests", b.v.spec.Pools[i].Key)
		}
	}
}

// checkBesidePool warns about a route that says how a pool is used: that comes
// to nothing.
func checkBesidePool(spec *RouteSpec, r *conf.Report) {
	if _, ok := namedPool(spec.Backends); !ok {
		return
	}
	for _, rule := range []struct {
		name    string
		written bool
	}{{"balance", spec.Balance != nil}, {"sticky", spec.Sticky != nil}, {"ejection", spec.Ejection != nil}, {"circuit_breaker", spec.Breaker != nil}, {"health", spec.Health != nil}, {"slow_start", spec.SlowStart.Set()}} {
		if rule.written {
			r.Warn(spec.Backends.Pos, "write it in the pool", "%s stands beside %q, and comes to nothing", rule.name, spec.Backends.Items[0].V.URL.V)
		}
	}
}

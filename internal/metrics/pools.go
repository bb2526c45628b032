package metrics

// PoolBackends is how many backends of a pool stand alike.
type PoolBackends struct {
	Route string // pool:NAME, else the first route that has the pool
	State string
	Count int
}

// poolSeriesMax bounds the series of one tenant's pools: with five states that
// is fifty routes with backends of their own.
const poolSeriesMax = 250

// otherRoutes is the label of what is beyond poolSeriesMax.
const otherRoutes = "other"

// Pools has each scrape ask how the tenant's backends stand.
func (t *Tenant) Pools(ask func() []PoolBackends) {
	if t != nil {
		t.pools.Store(&ask)
	}
}

// pools sends one series for each route and state. Pools of several hosts may
// have a route of the same name; they are added up.
func (e emitter) pools(t *Tenant) {
	ask := t.pools.Load()
	if ask == nil {
		return
	}
	type series struct{ route, state string }
	sums := make(map[series]int)
	for _, p := range (*ask)() {
		key := series{p.Route, p.State}
		if _, known := sums[key]; !known && len(sums) >= poolSeriesMax {
			key.route = otherRoutes
		}
		sums[key] += p.Count
	}
	for key, n := range sums {
		e.gauge(tenantPoolBackends, float64(n), t.id, key.route, key.state)
	}
}

package proxy

import (
	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// ceiling is the running half of a tenancy.Ceiling: what has been counted. A
// successor of its tenant that has a level of the same name goes on with it,
// whatever the limits are by then: a reload forgives nobody.
type ceiling struct {
	requests limit.Rate
	inFlight limit.Gate
	sockets  limit.Gate
	flow     limit.Flow
	clients  *limit.Keyed // their requests
	held     limit.Counts // requests in progress of each client
}

// bound is a ceiling as one table has it.
type bound struct {
	rules   *tenancy.Ceiling
	counted *ceiling
}

// bind finds or makes the ceilings of a tenant's routes. What is in progress
// counts on where it was counted; where nothing was limited before, what began
// then is not counted.
func (s *Server) bind(r *running, routes []*tenancy.Route, former *running) {
	for _, route := range routes {
		ceilings := route.Ceilings()
		if len(ceilings) == 0 {
			continue
		}
		if r.bounds == nil {
			r.bounds, r.counted = make([][]bound, len(routes)), make(map[string]*ceiling)
		}
		bounds := make([]bound, len(ceilings))
		for i, rules := range ceilings {
			bounds[i] = bound{rules, s.ceiling(r, rules, former)}
		}
		r.bounds[route.Index()] = bounds
	}
	r.measure(s.clock.now())
}

// ceiling returns what has been counted for a level so far.
func (s *Server) ceiling(r *running, rules *tenancy.Ceiling, former *running) *ceiling {
	if c := r.counted[rules.Name]; c != nil {
		return c
	}
	var c *ceiling
	if former != nil {
		c = former.counted[rules.Name]
	}
	if c == nil {
		c = &ceiling{clients: limit.NewKeyed(&s.room)}
	}
	c.inFlight.Set(rules.InFlight)
	c.sockets.Set(limit.Bounds{Most: rules.WebSockets})
	c.flow.Set(rules.Bandwidth)
	r.counted[rules.Name] = c
	r.levels = append(r.levels, bound{rules, c})
	return c
}

// retire is called when nothing is limited on the level any more. Whoever waits
// there goes on.
func (c *ceiling) retire() {
	c.inFlight.Set(limit.Bounds{})
	c.sockets.Set(limit.Bounds{})
	c.flow.Set(0)
	c.clients.Close()
}

// below returns the ceilings of a route, the narrowest first.
func (r *running) below(route *tenancy.Route) []bound {
	if r.bounds == nil {
		return nil
	}
	return r.bounds[route.Index()]
}

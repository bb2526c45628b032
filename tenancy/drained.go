package tenancy

import (
	"fmt"
	"strings"

	"gatehouse/internal/pool"
)

// DrainOrder is a tenant, or one backend of it, that gets no new requests while
// those in progress finish.
type DrainOrder struct {
	Tenant  string `json:"tenant"`
	Backend string `json:"backend,omitempty"` // its address, as pool.Backend has it; "" for the whole tenant
	Order
}

// Of returns what is drained, as commands write it: the tenant, or
// TENANT/BACKEND.
func (d *DrainOrder) Of() string {
	if d.Backend == "" {
		return d.Tenant
	}
	return d.Tenant + "/" + d.Backend
}

// drained is what is drained of one tenant.
type drained struct {
	whole    *Order            // of the tenant; nil for none
	backends map[string]*Order // by address
	pool     pool.Drains       // the same
}

func newDrained(orders []DrainOrder) map[string]*drained {
	if len(orders) == 0 {
		return nil
	}
	all := make(map[string]*drained)
	for i := range orders {
		o := &orders[i]
		d := all[o.Tenant]
		if d == nil {
			d = &drained{backends: make(map[string]*Order), pool: make(pool.Drains)}
			all[o.Tenant] = d
		}
		if o.Backend == "" {
			d.whole = &o.Order
			continue
		}
		d.backends[o.Backend] = &o.Order
		d.pool[o.Backend] = &pool.Drained{Why: o.String(), Since: o.At, Until: o.Until}
	}
	return all
}

// Drains returns the backends that operators have drained, by tenant. The caller
// must not write to it.
func (t *Table) Drains() map[string]pool.Drains {
	if t.levers == nil || len(t.levers.drained) == 0 {
		return nil
	}
	drains := make(map[string]pool.Drains, len(t.levers.drained))
	for tenant, d := range t.levers.drained {
		if len(d.pool) > 0 {
			drains[tenant] = d.pool
		}
	}
	return drains
}

// drains returns what keeps new requests from a tenant, or from every backend of
// a route that the files have in use: the order that ends first. It is nil where
// one of them takes requests.
func (l *levers) drains(r *Route, tenant string, now int64) *Order {
	if l == nil {
		return nil
	}
	d := l.drained[tenant]
	switch {
	case d == nil:
		return nil
	case d.whole != nil && d.whole.Holds(now):
		return d.whole
	}
	first, all := d.ofPlan(r.plan, now)
	if r.canary == nil || !all {
		return first
	}
	// A canary may have all requests by now.
	if next, all := d.ofPlan(r.canary.plan, now); !all {
		return nil
	} else if next != nil && next.endsBefore(first) {
		return next
	}
	return first
}

// ofPlan reports whether every backend of a plan that the files have in use is
// drained, and the order that ends first.
func (d *drained) ofPlan(p *pool.Plan, now int64) (first *Order, all bool) {
	for _, b := range p.Backends {
		if b.State() != pool.Active {
			continue
		}
		o := d.backends[b.Address()]
		if o == nil || !o.Holds(now) {
			return nil, false
		}
		if first == nil || o.endsBefore(first) {
			first = o
		}
	}
	return first, first != nil
}

// endsBefore reports whether o is over before p is.
func (o *Order) endsBefore(p *Order) bool {
	return !o.Until.IsZero() && (p.Until.IsZero() || o.Until.Before(p.Until))
}

// until returns the Unix second at which the order is over; 0 where nobody knows.
func (o *Order) until() int64 {
	if o.Until.IsZero() {
		return 0
	}
	return o.Until.Unix()
}

// draining refuses what has nowhere to go by an operator's order.
func (t *Table) draining(v Verdict, q *Request, tr *Trace) (refusal Verdict, drained bool) {
	o := t.levers.drains(v.Route, v.Tenant.id, q.Now)
	tr.drained(t.levers, v, o, q.Now)
	if o == nil {
		return v, false
	}
	return Verdict{Reason: Draining, Status: statusUnavailable, Tenant: v.Tenant, Host: v.Host, Route: v.Route, Until: o.until()}, true
}

// drained tells what of a route is drained by command; o is what refuses, nil
// where a backend is left.
func (t *Trace) drained(l *levers, v Verdict, o *Order, now int64) {
	if t == nil || l == nil || l.drained[v.Tenant.id] == nil {
		return
	}
	d := l.drained[v.Tenant.id]
	if o != nil && d.whole == o {
		t.refuse(gateDrain, noPos, "tenant "+quote(v.Tenant.id)+" is drained by "+o.String())
		return
	}
	var out []string
	for _, p := range v.Route.Plans() {
		for _, b := range p.Backends {
			if o := d.backends[b.Address()]; o != nil && o.Holds(now) {
				out = append(out, b.Address()+" by "+o.String())
			}
		}
	}
	switch text := strings.Join(out, ", "); {
	case o != nil:
		t.refuse(gateDrain, noPos, fmt.Sprintf("route %q has no backend left; drained: %s", v.Route.prefix, text))
	case text != "":
		t.pass(gateDrain, noPos, "drained: "+text)
	}
}

package tenancy

import (
	"net/netip"
	"slices"

	"gatehouse/internal/conf"
)

// closed judges what has found its route: whether the tenant is suspended,
// whether tenant, host or route are closed for maintenance, and whether what it
// would go to is drained. It comes behind every access, so that whoever is not
// admitted learns nothing of it, and what a window lets past has passed them all.
func (t *Table) closed(v Verdict, q *Request, tr *Trace) Verdict {
	if o, ok := t.levers.suspended(v.Tenant.id); ok {
		tr.refuse(gateSuspended, noPos, "tenant "+quote(v.Tenant.id)+" is suspended by "+o.String())
		return Verdict{Reason: Suspended, Status: statusUnavailable, Tenant: v.Tenant, Host: v.Host}
	}
	if q.Now != 0 { // else no maintenance is open
		if w, until := t.maintained(v, q.Client, q.Now, tr); w != nil {
			return Verdict{Reason: Maintenance, Status: statusUnavailable, Tenant: v.Tenant, Host: v.Host, Route: v.Route, Until: until, Page: w.page}
		}
	}
	if refusal, yes := t.draining(v, q, tr); yes {
		return refusal
	}
	tr.limits(v.Route)
	tr.retries(v.Tenant, v.Route)
	tr.compression(v.Route)
	return v
}

// byCommand is the window that a command opens where a route has none written.
var byCommand = &window{}

// maintained returns the window that keeps client out at the Unix second now,
// and when it is over; nil where there is none.
func (t *Table) maintained(v Verdict, client netip.Addr, now int64, tr *Trace) (w *window, until int64) {
	m := v.Route.closing
	if o, ok := t.levers.maintenance(v.Tenant.id, now); ok {
		if at := v.Route.keptOpen; !at.IsZero() {
			tr.keptOpen(at, &o)
			return nil, 0
		}
		w := m.first()
		if w.bypass.ContainsAt(client, t.At(now)) {
			tr.pass(gateMaintenance, w.pos, "maintenance by "+o.String()+"; "+client.String()+" bypasses it")
			return nil, 0
		}
		tr.refuse(gateMaintenance, noPos, "maintenance by "+o.String())
		if o.Until.IsZero() {
			return w, 0
		}
		return w, o.Until.Unix()
	}
	if m == nil {
		return nil, 0
	}
	w, until = m.closes(client, t.At(now))
	tr.maintenance(m, w, client, now)
	return w, until
}

// keptOpen says that a command leaves a route open.
func (t *Trace) keptOpen(at conf.Pos, o *Order) {
	if t != nil {
		t.pass(gateMaintenance, at, "maintenance: [] keeps it open; maintenance by "+o.String())
	}
}

// keptOpen returns where a host or route of it writes maintenance: [], which keeps
// a route open; zero where none does. What a tenant writes so takes back windows
// of defaults and groups, and has a command close it all the same.
func (d *routeDraft) keptOpen(host *HostSpec) conf.Pos {
	for _, s := range slices.Backward(d.specs) {
		if s.Maintenance.Set() {
			return whereEmpty(s.Maintenance)
		}
	}
	return whereEmpty(host.Maintenance)
}

func whereEmpty(list conf.OneOrMany[MaintenanceSpec]) conf.Pos {
	if list.Empty() {
		return list.Pos
	}
	return conf.Pos{}
}

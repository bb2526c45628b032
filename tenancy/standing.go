package tenancy

// Standing is what keeps new requests from a tenant, whoever sends them. The zero
// Standing is nothing.
type Standing struct {
	Suspended, Drained bool // by command
	// Maintained are the routes that are closed for maintenance, by a command or
	// by a window, of Routes.
	Maintained, Routes int
}

// Standing says how a tenant of the table stands at the Unix second now.
func (t *Table) Standing(tenant *Tenant, now int64) Standing {
	s := Standing{Routes: len(tenant.routes), Suspended: t.Suspends(tenant.id)}
	if t.levers != nil {
		d := t.levers.drained[tenant.id]
		s.Drained = d != nil && d.whole != nil && d.whole.Holds(now)
	}
	_, ordered := t.levers.maintenance(tenant.id, now)
	for _, r := range tenant.routes {
		if ordered && r.keptOpen.IsZero() || r.closing.anyOpen(now) {
			s.Maintained++
		}
	}
	return s
}

// anyOpen reports whether one of the windows is open.
func (m *maintenance) anyOpen(now int64) bool {
	if m == nil {
		return false
	}
	for _, w := range m.windows {
		if _, open := w.openAt(now); open {
			return true
		}
	}
	return false
}

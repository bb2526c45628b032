package acme

import (
	"slices"
	"time"
)

// SetHosts makes hosts the set that is to have certificates, each name once.
// Only differences from the former set cause work: a host that is new is looked
// at and queued, one that is gone is stopped where it stands, and its
// certificate stays in the store until it ends. It starts nothing itself.
func (m *Manager) SetHosts(hosts []Host) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.round++
	changed := !m.named
	m.named = true
	for _, h := range hosts {
		e := m.hosts[h.Name]
		if e == nil {
			e = m.newEntry(h)
		}
		e.round = m.round
		if e.wanted && e.Host == h {
			continue
		}
		changed = true
		m.want(e, h)
	}
	for _, e := range m.hosts {
		switch {
		case e.round == m.round:
		case e.wanted:
			changed = true
			m.unwant(e)
		default:
			m.tidy(e) // the store knew it, and nobody else does
		}
	}
	if changed {
		m.rescan = true
		m.poke()
	}
}

func (m *Manager) newEntry(h Host) *entry {
	e := &entry{Host: h, domain: registeredDomain(h.Name)}
	m.hosts[h.Name] = e
	return e
}

// want takes a host up, or notes whose it is now.
func (m *Manager) want(e *entry, h Host) {
	former := e.Host
	had := e.wanted
	e.Host, e.wanted = h, true
	if had && former.Tenant == h.Tenant {
		return // another profile: with the next order
	}
	m.abort(e)
	if former.Tenant != h.Tenant && former.Tenant != "" { // else an order in the store is all that was known
		// The next owner begins anew; the certificate is for the name, and its key
		// was never the former owner's.
		e.trouble, e.check, e.since, e.paid = nil, nil, time.Time{}, payment{}
		m.saved.touch(e)
		m.publishLater(former.Tenant)
	}
	if e.held != nil {
		m.publishLater(h.Tenant)
	}
}

// unwant lets go of a host.
func (m *Manager) unwant(e *entry) {
	m.abort(e)
	e.wanted, e.asked = false, false
	e.trouble, e.check, e.since = nil, nil, time.Time{}
	m.saved.touch(e)
	signal(m.unsaved)
	if e.held != nil {
		m.publishLater(e.Tenant)
	}
	m.tidy(e)
}

// abort ends what runs for a host and takes it out of the queue.
func (m *Manager) abort(e *entry) {
	m.queue.remove(e)
	e.turn = 0
	if e.stop != nil {
		e.stop()
	}
}

// tidy forgets a host that nobody wants and for which there is nothing.
func (m *Manager) tidy(e *entry) {
	if !e.wanted && e.held == nil && e.stop == nil && m.hosts[e.Name] == e {
		delete(m.hosts, e.Name)
		m.saved.touch(e)
	}
}

// Configure replaces the settings; nil: nothing is ordered or renewed, what is
// held stays published. Who failed for a cause that an operator may just have
// mended is tried again at once.
func (m *Manager) Configure(s *Settings) {
	m.mu.Lock()
	defer m.mu.Unlock()
	former := m.settings
	m.settings = s
	if s != nil {
		m.engine.configure(s)
		m.budget.setLimits(s.budget)
	}
	if sameSettings(former, s) {
		return
	}
	if former != nil && s != nil { // not at the start: what the store knows holds
		clear(m.outages)
		for _, e := range m.hosts {
			m.forgive(e)
		}
	}
	m.requeue()
	m.poke()
}

// forgive lets a host be tried again that failed for an operator's cause.
func (m *Manager) forgive(e *entry) {
	if t := e.trouble; t != nil && (t.cause == causeAccount || t.cause == causeRequest || t.cause == causeAuthority || t.via > 0) {
		e.trouble = nil
		m.saved.touch(e)
	}
	if e.check != nil {
		e.check.again.next = time.Time{}
	}
}

// sameSettings reports whether an operator changed nothing that could let an
// order succeed that failed before.
func sameSettings(a, b *Settings) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.mustStaple == b.mustStaple && a.budget == b.budget && a.preflight.enabled == b.preflight.enabled &&
		a.preflight.lostAfter == b.preflight.lostAfter && slices.Equal(a.preflight.addresses, b.preflight.addresses) &&
		slices.Equal(a.challenges, b.challenges) && slices.Equal(a.resolvers, b.resolvers) &&
		slices.EqualFunc(a.authorities, b.authorities, func(x, y *authority) bool { return x.same(y) && x.Profile == y.Profile })
}

package acme

import "context"

// lookAt looks at one host within its time.
func (m *Manager) lookAt(ctx context.Context, h Host, ca *authority, s *Settings) finding {
	ctx, cancel := context.WithTimeout(ctx, lookTimeLimit)
	defer cancel()
	return m.look(ctx, h, ca, s)
}

// startLooks looks at hosts that are new or due, a few at a time, long before
// it is their turn: their owners learn at once what is missing.
func (m *Manager) startLooks(ctx context.Context) {
	for m.work.looks < looksAtOnce && len(m.work.toLook) > 0 {
		e := m.work.toLook[0]
		m.work.toLook = m.work.toLook[1:]
		e.listed = false
		if !e.wanted || m.settings == nil {
			continue
		}
		at, _, down := m.choose(e, m.o.Now())
		if down {
			at.ca = m.settings.authorities[0]
		}
		m.work.looks++
		ctx, stop := context.WithCancel(ctx)
		e.stop = stop
		host, settings := e.Host, m.settings
		m.group.Go(func() { m.lookOne(ctx, e, at.ca, host, settings) })
	}
}

func (m *Manager) lookOne(ctx context.Context, e *entry, ca *authority, h Host, s *Settings) {
	f := m.lookAt(ctx, h, ca, s)
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	stopped := ctx.Err() != nil
	e.stop()
	e.stop = nil
	m.work.looks--
	if !stopped && e.Host == h {
		e.looked(f, s, now)
		m.tellState(e)
		m.saved.touch(e)
		signal(m.unsaved)
		m.consider(e, now)
	}
	m.tidy(e)
	m.poke()
}

// tellState logs that a host waits for its owner or for a resolver, or no longer
// does.
func (m *Manager) tellState(e *entry) {
	state := e.check.parked()
	if state == "" && e.check.unsure {
		state = StateQueued
	}
	if state == e.told {
		return
	}
	e.told = state
	switch {
	case state == StateParked && e.check.lost:
		m.o.Log.Warn("a host no longer leads here; its certificate is not renewed", "host", e.Name, "tenant", e.Tenant,
			"looks", e.check.bad, "found", e.check.detail, "not_after", e.held.notAfter)
	case state == StateQueued:
		m.o.Log.Warn("DNS cannot be asked about a host", "host", e.Name, "tenant", e.Tenant,
			"found", e.check.detail, "next", e.check.again.next)
	case state != "":
		m.o.Log.Info("a host waits for its owner", "host", e.Name, "tenant", e.Tenant, "state", state,
			"found", e.check.detail, "record", e.check.record, "next", e.check.again.next)
	default:
		m.o.Log.Info("nothing of DNS stands in the way of a host any more", "host", e.Name, "tenant", e.Tenant)
	}
}

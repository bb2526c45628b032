package pool

import "time"

// Drained is a backend that an operator takes out of the rotation beside what
// the files say: it gets no new requests, and those in progress finish.
type Drained struct {
	Why   string
	Since time.Time
	Until time.Time // the first instant at which it gets requests again; zero: nobody knows
}

// Drains are the backends that are drained so, by their addresses. Once a pool
// was given one it is never written.
type Drains map[string]*Drained

// holds reports whether the backend is drained at now; nil is not.
func (d *Drained) holds(now time.Time) bool {
	return d != nil && (d.Until.IsZero() || now.Before(d.Until))
}

// Drain has the pool take these backends out of the rotation, and no others, in
// place of those that it was told before. When it returns, no request begins at
// one of them any more, and InFlight counts all that have begun.
func (p *Pool) Drain(drains Drains, now time.Time) {
	p.making.Lock() // so that no address gets a seat unnoticed
	p.drains.Store(&drains)
	for _, s := range p.seats() {
		if s.owner.Load() == p {
			s.drain(drains[s.declared.address], now)
		}
	}
	for _, m := range p.left {
		if m.owner.Load() == p {
			m.drain(drains[m.backend.address], now)
		}
	}
	p.making.Unlock()
	p.changed(now)
}

// drainOf returns what the pool was told of a backend; nil for nothing.
func (p *Pool) drainOf(b *Backend) *Drained { return (*p.drains.Load())[b.address] }

// drain takes the member out of the rotation, or back into it for nil: then it
// starts slowly where that is wanted, as its process may be another one.
func (m *Member) drain(d *Drained, now time.Time) {
	former := m.drained.Swap(d)
	if d.holds(now) {
		m.closeIdle()
		return
	}
	if former.holds(now) {
		m.condition.mu.Lock()
		m.condition.upSince = now
		m.condition.mu.Unlock()
	}
}

// closeIdle closes the idle connections, so that a process that is to be stopped
// has none.
func (m *Member) closeIdle() {
	m.mu.Lock()
	idle := m.idle
	m.idle = nil
	m.mu.Unlock()
	for _, c := range idle {
		c.Close()
	}
}

// InFlight returns how many requests the backends of an address have in progress.
func (p *Pool) InFlight(address string) int {
	return p.inFlight(func(b *Backend, _ *Member) bool { return b.address == address })
}

// InFlightUnadopted is the same of the backends that no other pool has adopted; ""
// is all addresses.
func (p *Pool) InFlightUnadopted(address string) int {
	return p.inFlight(func(b *Backend, m *Member) bool {
		return (address == "" || b.address == address) && m.owner.Load() == p
	})
}

func (p *Pool) inFlight(counts func(*Backend, *Member) bool) int {
	p.making.Lock()
	defer p.making.Unlock()
	sum := 0
	for _, s := range p.seats() {
		if counts(s.declared, s.Member) {
			sum += s.Member.InFlight()
		}
	}
	for _, m := range p.left {
		if counts(m.backend, m) {
			sum += m.InFlight()
		}
	}
	return sum
}

package pool

import (
	"fmt"
	"sync"
	"time"
)

// condition is what is known of a member's health.
type condition struct {
	mu    sync.Mutex
	since time.Time // of the present condition
	why   string    // it is not up; "" while it is

	ejected bool
	until   time.Time     // an ejected one gets no request before that, if there is another
	length  time.Duration // of the present or last ejection
}

// Standing is whether a backend gets requests.
type Standing string

// The standings.
const (
	Up       Standing = "up"
	Ejected  Standing = "ejected" // it failed requests
	Draining Standing = "drain"   // an operator wants it so
	TakenOut Standing = "out"     // an operator wants it so: state: down
)

// Transition is a change of a backend's standing.
type Transition struct {
	Pool    string
	Backend *Backend
	To      Standing
	Why     string
}

// standing returns how the seat stands, and when that changes by itself: zero
// for never.
func (s seat) standing(now time.Time) (st Standing, again time.Time) {
	switch s.declared.state {
	case Drain:
		return Draining, time.Time{}
	case Down:
		return TakenOut, time.Time{}
	}
	c := &s.condition
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ejected {
		return Ejected, c.until
	}
	return Up, time.Time{}
}

// eject takes a member out of the rotation if the budget of its pool has room.
// A probe that failed needs none: the member is ejected already.
func (p *Pool) eject(m *Member, now time.Time, why string) {
	if !p.mayEject(m, now) {
		return
	}
	rule := p.plan.Rules.Ejection
	c := &m.condition
	c.mu.Lock()
	// What stayed up for longer than it was away begins anew.
	if !c.ejected && now.Sub(c.since) > c.length {
		c.length = 0
	}
	if !c.ejected {
		c.since = now
	}
	c.length = rule.next(c.length)
	c.ejected, c.until = true, now.Add(c.length)
	c.why = fmt.Sprintf("%d failures in a row, the last: %s", m.failures.Load(), why)
	told := Transition{p.name, m.backend, Ejected, c.why}
	c.mu.Unlock()
	m.probing.Store(false)
	m.changed(now)
	p.tell(told)
}

// adopted has a member keep what p still goes by.
func (m *Member) adopted(p *Pool) {
	c := &m.condition
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ejected && p.plan.Rules.Ejection.Failures == 0 {
		c.ejected, c.since, c.why = false, time.Now(), ""
	}
}

// mayEject reports whether m may be ejected: it may be so again, and for the
// first time while the pool's budget has room and another backend is up.
func (p *Pool) mayEject(m *Member, now time.Time) bool {
	ejected, active, others := 0, 0, 0
	for _, s := range p.seats {
		if s.declared.state != Active {
			continue
		}
		active++
		switch st, _ := s.standing(now); {
		case st == Ejected && s.Member == m:
			return true
		case st == Ejected:
			ejected++
		case st == Up && s.Member != m:
			others++
		}
	}
	return others > 0 && p.plan.Rules.Ejection.may(ejected, active)
}

// readmit puts a member that has answered its probe back into the rotation.
func (m *Member) readmit(now time.Time) {
	c := &m.condition
	c.mu.Lock()
	was := c.ejected
	if was {
		c.ejected, c.since, c.why = false, now, ""
	}
	c.mu.Unlock()
	m.failures.Store(0)
	m.probing.Store(false)
	if was {
		m.changed(now)
		p := m.owner.Load()
		p.tell(Transition{p.name, m.backend, Up, "it answers again"})
	}
}

// changed has the pool that the member belongs to look at it. Where it goes to
// another one meanwhile, that one may have looked before the change.
func (m *Member) changed(now time.Time) {
	for p := (*Pool)(nil); p != m.owner.Load(); {
		p = m.owner.Load()
		p.changed(now)
	}
}

func (p *Pool) tell(t Transition) {
	if p.notify != nil {
		p.notify(t)
	}
}

// BackendStatus is one backend of a pool as it stands.
type BackendStatus struct {
	Backend  *Backend
	Standing Standing
	Why      string    // it is not up; "" while it is
	Since    time.Time // of the standing; zero for what is written
	InFlight int
}

// Status returns how each backend stands.
func (p *Pool) Status(now time.Time) []BackendStatus {
	list := make([]BackendStatus, len(p.seats))
	for i, s := range p.seats {
		b := &list[i]
		b.Backend, b.InFlight = s.declared, s.InFlight()
		b.Standing, _ = s.standing(now)
		if s.declared.state != Active {
			b.Why = "state: " + s.declared.state.String()
			continue
		}
		c := &s.condition
		c.mu.Lock()
		b.Why, b.Since = c.why, c.since
		c.mu.Unlock()
	}
	return list
}

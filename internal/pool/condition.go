package pool

import (
	"net/netip"
	"sync"
	"time"
)

// condition is what is known of a member's health: by its requests, and by being
// looked at.
type condition struct {
	mu      sync.Mutex
	upSince time.Time

	ejected      bool
	ejectedSince time.Time
	ejectedWhy   string
	until        time.Time     // an ejected one gets no request before that, if there is another
	length       time.Duration // of the present or last ejection

	rule      Health // that the rest was found out by
	seen      bool   // it was looked at
	down      bool
	downSince time.Time
	downWhy   string
	contrary  int // answers in a row that say the opposite of down
}

// Standing is whether a backend gets requests.
type Standing string

// The standings.
const (
	Up       Standing = "up"
	Unwell   Standing = "down"    // its check fails
	Ejected  Standing = "ejected" // it failed requests
	Draining Standing = "drain"   // an operator wants it so
	TakenOut Standing = "out"     // an operator wants it so: state: down
	// Unresolved is a name that leads nowhere.
	Unresolved Standing = "unresolved"
)

// Transition is a change of a backend's standing.
type Transition struct {
	Pool    string
	Backend *Backend
	Address netip.Addr // which of the addresses of its name; else not valid
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
	if d := s.drained.Load(); d.holds(now) {
		return Draining, d.Until
	}
	if s.placeless() {
		return Unresolved, time.Time{}
	}
	c := &s.condition
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.down:
		return Unwell, time.Time{}
	case c.ejected:
		return Ejected, c.until
	}
	return Up, time.Time{}
}

// eject takes a member out of the rotation if the budget of its pool has room.
// For a probe that failed, which finds the member ejected already, that begins
// anew. Whoever else finds it so was overtaken: what fails at the same moment
// is one ejection.
func (p *Pool) eject(m *Member, now time.Time, why string, probe bool) {
	p.ejecting.Lock() // no two find the same room
	ejected := p.mayEject(m, now) && m.condition.eject(&p.plan.Rules.Ejection, now, why, probe)
	p.ejecting.Unlock()
	if probe {
		m.probing.Store(false)
	}
	if ejected {
		m.changed(now)
		p.tell(m.transition(p, Ejected, why))
	}
}

// eject reports whether it has changed anything.
func (c *condition) eject(rule *Ejection, now time.Time, why string, probe bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ejected && !probe {
		return false
	}
	// What stayed up for longer than it was away begins anew.
	if !c.ejected && now.Sub(c.upSince) > c.length {
		c.length = 0
	}
	if !c.ejected {
		c.ejectedSince = now
	}
	c.length = rule.next(c.length)
	c.ejected, c.until = true, now.Add(c.length)
	c.ejectedWhy = why
	return true
}

// adopted has a member keep what p still goes by.
func (m *Member) adopted(p *Pool) {
	m.drain(p.drainOf(m.backend), time.Now())
	c, rules := &m.condition, &p.plan.Rules
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ejected && rules.Ejection.off() {
		c.ejected, c.upSince = false, time.Now()
	}
	former := c.rule
	c.rule = rules.Health
	if former == c.rule || c.seen && former.asksLike(c.rule) {
		return
	}
	// What gets requests goes on getting them until an answer says otherwise.
	c.seen, c.contrary, c.down = false, 0, c.down && c.rule.StartsDown
	c.downWhy = notLookedAt
}

// notLookedAt is why a backend is down that starts so.
const notLookedAt = "not looked at yet"

// begin has a new member stand as the rule says.
func (c *condition) begin(h Health, now time.Time) {
	c.upSince, c.rule, c.down = now, h, h.StartsDown
	if c.down {
		c.downSince, c.downWhy = now, notLookedAt
	}
}

// mayEject reports whether m may be ejected: it may be so again, and for the
// first time while the pool's budget has room and another backend is up.
func (p *Pool) mayEject(m *Member, now time.Time) bool {
	ejected, active, others := 0, 0, 0
	for _, s := range p.seats() {
		st, _ := s.standing(now)
		if st == Draining || st == TakenOut || st == Unresolved {
			continue
		}
		active++
		switch {
		case st == Ejected && s.Member == m:
			return true
		case st == Ejected:
			ejected++
		case st == Up && s.Member != m:
			others++
		}
	}
	if p.plan.Rules.spareless() {
		return !p.plan.Rules.Ejection.off()
	}
	return others > 0 && p.plan.Rules.Ejection.may(ejected, active)
}

// readmit puts a member that has answered its probe back into the rotation.
func (m *Member) readmit(now time.Time) {
	c := &m.condition
	c.mu.Lock()
	was := c.ejected
	if was {
		c.ejected, c.upSince = false, now
	}
	c.mu.Unlock()
	m.failures.Store(0)
	m.rate.Reset()
	m.probing.Store(false)
	if was {
		m.changed(now)
		p := m.owner.Load()
		p.tell(m.transition(p, Up, "it answers again"))
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

func (m *Member) transition(p *Pool, to Standing, why string) Transition {
	at, _ := m.Address()
	return Transition{p.name, m.backend, at, to, why}
}

func (p *Pool) tell(t Transition) {
	if p.notify != nil {
		p.notify(t)
	}
}

// BackendStatus is one backend of a pool as it stands.
type BackendStatus struct {
	Backend  *Backend
	Address  netip.Addr // which of the addresses of its name; else not valid
	Standing Standing
	Why      string    // it is not up; "" while it is
	Since    time.Time // of the standing; zero for what is written
	InFlight int
	Pending  int // of those, the ones whose answer has not begun; 0 where that is not bounded
}

// Status returns how each backend stands.
func (p *Pool) Status(now time.Time) []BackendStatus {
	seats := p.seats()
	list := make([]BackendStatus, len(seats))
	for i, s := range seats {
		b := &list[i]
		b.Backend, b.InFlight, b.Pending = s.declared, s.InFlight(), int(s.pending.Load())
		b.Address, _ = s.Member.Address()
		b.Standing, _ = s.standing(now)
		if s.declared.state != Active {
			b.Why = "state: " + s.declared.state.String()
			continue
		}
		if d := s.drained.Load(); b.Standing == Draining && d != nil {
			b.Since, b.Why = d.Since, d.Why
			continue
		}
		if b.Standing == Unresolved {
			b.Since, b.Why = s.name.trouble()
			continue
		}
		b.Since, b.Why = s.condition.story(b.Standing)
	}
	return list
}

// story returns since when a member stands as it does, and why.
func (c *condition) story(st Standing) (since time.Time, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch st {
	case Unwell:
		return c.downSince, c.downWhy
	case Ejected:
		return c.ejectedSince, c.ejectedWhy
	}
	return c.upSince, ""
}

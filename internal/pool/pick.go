package pool

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Round is one request's way through the backends of a pool: each at most once.
// It belongs to one goroutine. Whoever begins one calls Release in the end.
type Round struct {
	pool       *Pool
	hash       uint64
	repeatable bool
	tried      set     // seats of roster
	roster     *roster // as it was at the last pick
	member     *Member // whose turn it is; nil before the first, and once released
	probing    bool    // this request tries an ejected member
	waits      bool    // it counts among those that wait for an answer
	crowded    bool    // a backend had no room for it
	preferred  uint64  // the place that it begins with if that takes requests; zero for none
	place      uint64  // of the backend whose turn it is or was; zero for none
}

// Round begins a request's way. hash is what requests have in common that a
// policy by hash keeps together; the others do not look at it. A request that is
// repeatable can be sent to another backend when one has failed it.
func (p *Pool) Round(hash uint64, repeatable bool) Round {
	return Round{pool: p, hash: hash, repeatable: repeatable}
}

// Next returns the next backend of the round, nil when there is no other. The
// request counts as in progress there until Release or the next Next. It does
// not allocate.
func (r *Round) Next(now time.Time) *Member {
	r.Release()
	for {
		v := r.pool.current(now)
		r.follow(v.roster)
		seat := r.pick(v)
		if seat < 0 {
			return nil
		}
		r.tried.add(uint8(seat))
		s := &v.roster.seats[seat]
		r.place = s.at
		if !r.enter(s.Member) {
			r.forgo(s.Member)
			continue
		}
		if !r.member.drained.Load().holds(now) {
			return r.member
		}
		// It was drained since the view was made: whoever did that sees either
		// the request counted or none.
		r.Release()
	}
}

// forgo leaves a member alone that was picked.
func (r *Round) forgo(m *Member) {
	if r.probing {
		r.probing = false
		m.probing.Store(false)
	}
}

// follow has the round know its seats by another roster.
func (r *Round) follow(next *roster) {
	if r.roster == next {
		return
	}
	if r.roster != nil {
		r.tried = r.roster.translate(r.tried, next)
	}
	r.roster = next
}

// Release says that the backend whose turn it is has nothing more to do for the
// request. It may be called more often than needed.
func (r *Round) Release() {
	m := r.member
	if m == nil {
		return
	}
	r.heard()
	m.inFlight.Add(-1)
	r.forgo(m)
	r.member = nil
}

// Succeeded says that the backend whose turn it is has answered.
func (r *Round) Succeeded(now time.Time) {
	m := r.member
	r.heard()
	switch {
	case m == nil:
		return
	case r.probing:
		r.probing = false
		m.readmit(now)
	case m.failures.Load() != 0:
		m.failures.Store(0)
	}
	m.fared(now, "")
}

// Failed says that the backend whose turn it is has failed the request in a way
// that a backend that is dead does, and how: "connection refused".
func (r *Round) Failed(now time.Time, how string) {
	m := r.member
	r.heard()
	if m == nil || m.placeless() {
		return
	}
	p := m.owner.Load()
	most := int64(p.plan.Rules.Ejection.Failures)
	n := m.failures.Add(1)
	if probe := r.probing; probe || most > 0 && n >= most && !m.isEjected() {
		r.probing = false
		p.eject(m, now, fmt.Sprintf("%d failures in a row, the last: %s", n, how), probe)
		return
	}
	m.fared(now, how)
}

func (m *Member) isEjected() bool {
	m.condition.mu.Lock()
	defer m.condition.mu.Unlock()
	return m.condition.ejected
}

// pick returns a seat that the request was not sent to, -1 if there is none.
func (r *Round) pick(v *view) int {
	if r.preferred != 0 && r.tried == (set{}) {
		if seat := v.stays(r.preferred); seat >= 0 {
			return seat
		}
	}
	if len(v.probes) > 0 && r.tried == (set{}) && (r.repeatable || v.anyProbes) {
		if seat := r.probe(v); seat >= 0 {
			return seat
		}
	}
	policy := r.pool.plan.Rules.Balance.Policy
	if policy >= HashClient {
		if seat := r.placed(v); seat >= 0 {
			return seat
		}
	}
	for i, t := range v.tiers {
		if t == nil || i >= ejectedPrimary && r.crowded {
			continue // whoever is ejected has no room for what others have none for
		}
		seat := -1
		switch policy {
		case RoundRobin:
			seat = t.walk(t.at(r.turn()*t.step%t.total), &r.tried)
		case LeastRequests:
			seat = r.least(t)
		default:
			seat = t.walk(t.at(r.hash%t.total), &r.tried)
		}
		if seat >= 0 {
			return seat
		}
	}
	return -1
}

// turn returns the request's turn. It has one: if what is offered once more took
// another, then of two backends all requests would begin with the one that fails
// them, each time that the other has been asked in its place.
func (r *Round) turn() uint64 {
	if r.tried != (set{}) {
		return uint64(rand.Uint32())
	}
	return r.pool.turn.Add(1) - 1
}

// probe returns an ejected seat that no other request is trying, -1 if there is
// none.
func (r *Round) probe(v *view) int {
	for _, seat := range v.probes {
		if v.roster.seats[seat].probing.CompareAndSwap(false, true) {
			r.probing = true
			return int(seat)
		}
	}
	return -1
}

// least draws two different backends by weight and returns the one that has less
// to do for its weight: the first where both have the same, so that idle
// backends share by weight.
func (r *Round) least(t *tier) int {
	random := rand.Uint64()
	a := t.at(scale(uint32(random), t.total))
	weight := t.weight(a)
	if weight == t.total {
		return t.walk(a, &r.tried)
	}
	x := scale(uint32(random>>32), t.total-weight)
	if x >= t.start(a) {
		x += weight
	}
	b := t.at(x)
	loadA, loadB := r.load(t.seats[a]), r.load(t.seats[b])
	if loadA*int64(t.weight(b)) > loadB*int64(weight) {
		a, b = b, a
	}
	if r.tried.has(t.seats[a]) && !r.tried.has(t.seats[b]) {
		a = b
	}
	return t.walk(a, &r.tried)
}

func (r *Round) load(seat uint8) int64 { return r.roster.seats[seat].inFlight.Load() }

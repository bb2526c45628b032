package acme

import (
	"cmp"
	"slices"
	"time"
)

// orderTakes is how long an order is taken to run before one has.
const orderTakes = 10 * time.Second

// attemptsShown bounds the attempts left that are counted: with so many, nobody
// is worried.
const attemptsShown = 99

// queued returns the hosts that are to be ordered for as soon as the budget lets
// them, the most urgent first: those of the queue, those that are set aside
// because a bucket of their own is empty, and those that are looked at.
func (m *Manager) queued(now time.Time) (out []*entry) {
	if m.settings == nil {
		return nil
	}
	for _, e := range m.hosts {
		if e.issuing || !e.needs(m.settings, now) || e.trouble.ready(now).After(now) || e.check.parked() != "" || e.doubtful(now) {
			continue
		}
		if e.place.at.ca == nil {
			if _, ok := m.assign(e, now); !ok {
				continue
			}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, compare)
	return out
}

// estimate plays the queue through with copies of the buckets, and notes in each
// host when its order begins if nothing else happens.
func (m *Manager) estimate(now time.Time) {
	start := now.UnixNano()
	todo := m.queued(now)
	sim := m.budget.simulate(start)
	from := make([]int64, len(todo)) // a host's own buckets have a token then
	order := make([]int, len(todo))  // by that
	for i, e := range todo {
		// Hosts of one domain stand one behind the other, in the queue's order.
		from[i], order[i] = sim.own(e.purchase(e.place.at.ca, now)), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(from[a], from[b]) })
	pace := int64(m.pace())
	var ready ranks
	cursor, next := start, 0
	for range todo {
		if len(ready) == 0 {
			cursor = max(cursor, from[order[next]])
		}
		for next < len(order) && from[order[next]] <= cursor {
			ready.push(order[next])
			next++
		}
		e := todo[ready.pop()]
		at := sim.account(e.purchase(e.place.at.ca, now), cursor)
		e.eta = at
		cursor = max(cursor, at) + pace
	}
}

// pace is the shortest time between the beginnings of two orders, as many as
// run at a time.
func (m *Manager) pace() time.Duration {
	took := m.work.took
	if took == 0 {
		took = orderTakes
	}
	return took / issuingAtOnce
}

// ranks is a heap of places in the queue, the first on top.
type ranks []int

func (r *ranks) push(rank int) {
	*r = append(*r, rank)
	h := *r
	for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
}

func (r *ranks) pop() int {
	h := *r
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*r = h
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child] < h[least] {
				least = child
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// simulation is buckets that can be emptied without consequences.
type simulation struct {
	budget *budget
	now    int64
	copies map[bucketKey]bucket // of accounts and domains: a host stands in the queue once
}

func (b *budget) simulate(now int64) *simulation {
	return &simulation{b, now, make(map[bucketKey]bucket)}
}

// own takes from the bucket of the domain, and returns when it and that of the
// host had a token.
func (s *simulation) own(p purchase) int64 {
	at := s.now
	for _, x := range p.price.pays() {
		if sc := scope(x); sc != scopeAccount {
			at = max(at, s.get(p, sc).next(s.budget.rate(sc), s.now))
		}
	}
	for _, x := range everyScope {
		if sc := scope(x); sc != scopeAccount {
			at = max(at, s.get(p, sc).Shut)
		}
	}
	s.take(p, at, scopeDomain)
	return at
}

// account takes from the bucket of the account, not before an instant, and
// returns when it had a token.
func (s *simulation) account(p purchase, from int64) int64 {
	one := s.get(p, scopeAccount)
	if !p.price.takes(scopeAccount) {
		return max(from, one.Shut)
	}
	at := one.next(s.budget.rate(scopeAccount), from)
	s.take(p, at, scopeAccount)
	return at
}

func (s *simulation) take(p purchase, at int64, sc scope) {
	if p.price.takes(sc) {
		one := s.get(p, sc)
		one.take(s.budget.rate(sc), at)
		s.copies[p.key(sc)] = one
	}
}

func (s *simulation) get(p purchase, sc scope) bucket {
	one, ok := s.copies[p.key(sc)]
	if !ok {
		s.budget.mu.Lock()
		one = s.budget.get(p, sc, s.now)
		s.budget.mu.Unlock()
	}
	return one
}

// attemptsLeft is how many orders can fail for a host, at the present budget
// and with the usual waits between them, before its certificate ends.
func (m *Manager) attemptsLeft(e *entry, eta, now time.Time) int {
	if e.held == nil || m.settings == nil {
		return 0
	}
	end := e.held.notAfter
	at := latest(now, e.trouble.ready(now), eta)
	if !e.needs(m.settings, now) {
		at = latest(at, e.held.renewal.at)
	}
	if !at.Before(end) {
		return 0
	}
	cost := e.purchase(m.settings.authorities[0], at)
	tries := m.budget.attempts(cost, at.UnixNano(), end.UnixNano())
	return min(tries, attempts(causeHost, e.fails(), end.Sub(at), e.Name))
}

// attempts is how many orders for a name can be paid for between two instants.
func (b *budget) attempts(p purchase, from, end int64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := int64(attemptsShown)
	for _, s := range []scope{scopeHost, scopeDomain} {
		if p.price.takes(s) {
			n = min(n, b.get(p, s, from).until(b.rate(s), from, end))
		}
	}
	return int(n)
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}

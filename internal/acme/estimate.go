package acme

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// orderTakes is how long an order is taken to run before one has.
const orderTakes = 10 * time.Second

// attemptsShown bounds the attempts left that are counted: with so many, nobody
// is worried.
const attemptsShown = 99

// waiting is one host of the queue in an estimate.
type waiting struct {
	entry *entry
	cost  purchase
	from  int64 // its own buckets have a token then
	rank  int   // in the queue
}

// queued returns the hosts that are to be ordered for as soon as the budget lets
// them, the most urgent first: those of the queue, those that are set aside
// because a bucket of their own is empty, and those that are looked at.
func (m *Manager) queued(now time.Time) (out []waiting) {
	if m.settings == nil {
		return nil
	}
	for _, e := range m.hosts {
		if e.issuing || !e.needs(m.settings, now) || e.trouble.ready(now).After(now) || e.check.parked() != "" {
			continue
		}
		if e.place.at.ca == nil {
			if _, ok := m.assign(e, now); !ok {
				continue
			}
		}
		out = append(out, waiting{entry: e, cost: e.purchase(e.place.at.ca, now)})
	}
	slices.SortFunc(out, func(a, b waiting) int { return compare(a.entry, b.entry) })
	return out
}

// estimate plays the queue through with copies of the buckets, and returns when
// each host's order begins if nothing else happens.
func (m *Manager) estimate(now time.Time) map[*entry]time.Time {
	start := now.UnixNano()
	todo := m.queued(now)
	sim := m.budget.simulate(start)
	for i := range todo {
		// Hosts of one domain stand one behind the other, in the queue's order.
		todo[i].from, todo[i].rank = sim.own(todo[i].cost), i
	}
	slices.SortStableFunc(todo, func(a, b waiting) int { return cmp.Compare(a.from, b.from) })
	out := make(map[*entry]time.Time, len(todo))
	pace := int64(m.pace())
	var ready byRank
	cursor, next := start, 0
	for len(out) < len(todo) {
		if len(ready) == 0 {
			cursor = max(cursor, todo[next].from)
		}
		for next < len(todo) && todo[next].from <= cursor {
			heap.Push(&ready, todo[next])
			next++
		}
		first := heap.Pop(&ready).(waiting)
		at := sim.account(first.cost, cursor)
		out[first.entry] = instant(at)
		cursor = max(cursor, at) + pace
	}
	return out
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

// byRank is a heap of hosts by their rank in the queue.
type byRank []waiting

// Len implements heap.Interface.
func (w byRank) Len() int { return len(w) }

// Less implements heap.Interface.
func (w byRank) Less(i, j int) bool { return w[i].rank < w[j].rank }

// Swap implements heap.Interface.
func (w byRank) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push implements heap.Interface.
func (w *byRank) Push(x any) { *w = append(*w, x.(waiting)) }

// Pop implements heap.Interface.
func (w *byRank) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}

// simulation is buckets that can be emptied without consequences.
type simulation struct {
	budget *budget
	now    int64
	copies map[string]bucket
}

func (b *budget) simulate(now int64) *simulation {
	return &simulation{b, now, make(map[string]bucket)}
}

// own takes from the buckets of domain and host, and returns when they had a
// token.
func (s *simulation) own(p purchase) int64 {
	at := s.now
	for _, sc := range p.price.pays() {
		if sc != scopeAccount {
			at = max(at, s.get(p, sc).next(s.budget.rate(sc), s.now))
		}
	}
	for _, sc := range everyScope() {
		if sc != scopeAccount {
			at = max(at, s.get(p, sc).Shut)
		}
	}
	s.take(p, at, scopeDomain, scopeHost)
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

func (s *simulation) take(p purchase, at int64, scopes ...scope) {
	for _, sc := range scopes {
		if p.price.takes(sc) {
			one := s.get(p, sc)
			one.take(s.budget.rate(sc), at)
			s.copies[p.bucketID(sc)] = one
		}
	}
}

func (s *simulation) get(p purchase, sc scope) bucket {
	id := p.bucketID(sc)
	one, ok := s.copies[id]
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
	if e.held == nil {
		return 0
	}
	end := e.held.notAfter
	at := latest(now, e.trouble.ready(now), eta)
	if !e.needs(m.settings, now) {
		at = latest(at, e.held.renewal.at)
	}
	cost := purchase{name: e.Name, domain: e.domain, price: priceNew}
	if len(m.settings.authorities) > 0 {
		cost = e.purchase(m.settings.authorities[0], at)
	}
	tries := m.budget.attempts(cost, at.UnixNano(), end.UnixNano())
	n := 0
	for fails := e.fails() + 1; n < tries && at.Before(end); fails++ {
		at = at.Add(backoff(causeHost, fails, e.Name))
		n++
	}
	return n
}

// attempts is how many orders for a name can be paid for between two instants.
func (b *budget) attempts(p purchase, from, end int64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := attemptsShown
	for _, s := range p.price.pays() {
		if s == scopeHost || s == scopeDomain {
			n = min(n, b.get(p, s, from).until(b.rate(s), from, end, n))
		}
	}
	return n
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}

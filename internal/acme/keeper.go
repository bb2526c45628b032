package acme

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

const (
	// lookEvery is how often the Manager looks at the clock of the wall. It
	// does not sleep until the next renewal, because that clock may jump.
	lookEvery = time.Minute

	// issuingAtOnce bounds the orders that run at a time. Against an authority
	// on the same machine 16 give 2,200 certificates in a minute, 32 give 2,900
	// and 100 give 4,500. A public one takes five seconds for an order, nearly
	// all of it waiting: so many are still a thousand in a minute then.
	issuingAtOnce = 100

	// stopLimit bounds the last writes when Run ends.
	stopLimit = 5 * time.Second
)

// workload counts what runs.
type workload struct {
	orders    int
	at        map[string]int // orders by authority.ID
	looks     int
	refreshes int
	toLook    []*entry
	toRefresh []*entry
	took      time.Duration // how long an order takes, a moving average
	disk      diskTrouble
}

// Run does what is to be done until ctx is done; then it returns nil, when all
// that it started has ended and the state is saved. It is called once, after
// Load.
func (m *Manager) Run(ctx context.Context) error {
	m.group.Go(func() { m.publisher(ctx) })
	m.group.Go(func() { m.saver(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			m.group.Wait()
			m.engine.close()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
			defer cancel()
			m.save(last, true)
			return nil
		case <-timer.C:
		case <-m.wake:
		}
		timer.Reset(m.step(ctx))
	}
}

// step starts what is due and returns when to look again.
func (m *Manager) step(ctx context.Context) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	age := now.Sub(m.scanned)
	if age < 0 {
		m.budget.rewound(now.UnixNano())
	}
	if m.rescan || age >= lookEvery || age < 0 {
		m.scan(now, m.rescan || age < 0)
		m.measure(now)
	}
	m.startProbe(ctx, now)
	m.startLooks(ctx)
	m.startRefreshes(ctx, now)
	m.startOrders(ctx, now)
	return m.pause(now)
}

// scan looks at all hosts, without all at those alone that are not quiet: that
// takes some milliseconds for 100,000.
func (m *Manager) scan(now time.Time, all bool) {
	m.rescan, m.scanned = false, now
	t := now.UnixNano()
	var fresh []*entry
	for _, e := range m.hosts {
		if !all && t < e.quiet {
			continue
		}
		e.quiet = 0
		m.listRefresh(e, now)
		switch {
		case e.place.lane != nil && e.needs(m.settings, now):
		case e.turn == 0 && e.needs(m.settings, now):
			fresh = append(fresh, e)
		default:
			m.consider(e, now)
		}
	}
	// Those that come together get their turns in an order that everybody
	// understands.
	slices.SortFunc(fresh, func(a, b *entry) int {
		return cmp.Or(a.since.Compare(b.since), strings.Compare(a.Name, b.Name))
	})
	for _, e := range fresh {
		m.consider(e, now)
	}
}

// consider looks at one host after something about it changed.
func (m *Manager) consider(e *entry, now time.Time) {
	if m.due(e, now) {
		m.queue.remove(e)
		m.enqueue(e, now)
	}
}

// due reports whether a host is to stand in the queue, takes it out if not, and
// lists it for a look at DNS first where that is missing.
func (m *Manager) due(e *entry, now time.Time) bool {
	e.quiet = 0
	if e.stop != nil || e.listed {
		return false
	}
	if !e.needs(m.settings, now) {
		m.queue.remove(e)
		e.turn, e.since = 0, time.Time{}
		m.tellClock(e, now)
		e.quiet = e.quietUntil(now)
		return false
	}
	if e.since.IsZero() {
		e.since = now
		m.saved.touch(e)
	}
	if e.turn == 0 {
		m.assign(e, now)
	}
	if e.trouble.ready(now).After(now) {
		m.queue.remove(e)
		return false
	}
	if !m.mayOrder(e, now) {
		m.queue.remove(e)
		return false
	}
	return true
}

// mayOrder reports whether nothing that is known of DNS stands against an order
// for a host. It lists the host for a look where too little is known.
func (m *Manager) mayOrder(e *entry, now time.Time) bool {
	switch {
	case len(m.settings.kinds(e.Host)) == 0:
		e.check = &check{finding: finding{state: StateParked, detail: uncovered(e.Host)}, again: again{set: now}}
		return false
	case !m.settings.preflight.enabled:
		e.check = nil
		return true
	case e.check.due(now):
		e.listed = true
		m.work.toLook = append(m.work.toLook, e)
		return false
	}
	return e.check.parked() == "" && !e.doubtful(now)
}

// enqueue places a host in the lane of the authority that it is to be ordered
// from.
func (m *Manager) enqueue(e *entry, now time.Time) {
	if cost, ok := m.assign(e, now); ok {
		m.queue.push(e, cost.price == priceRenewal || cost.price == priceNew)
	}
}

// assign gives a host its place in the queue, unless no authority works: then
// the next scan looks again.
func (m *Manager) assign(e *entry, now time.Time) (cost purchase, ok bool) {
	at, because, down := m.choose(e, now)
	if down {
		return cost, false
	}
	m.queue.assign(e, place{class: e.class(m.settings, now), urgency: e.urgencyOf(), at: at, because: because})
	return e.purchase(at.ca, now), true
}

// choose returns the authority to order from: the first that works, from where
// the last attempt left off; or that none does, and why.
func (m *Manager) choose(e *entry, now time.Time) (at attempt, because string, down bool) {
	all := m.settings.authorities
	first := 0
	if e.trouble != nil && e.trouble.via < len(all) {
		first, because = e.trouble.via, e.trouble.because
	}
	if e.check.forbids(all[first]) != "" && e.next(attempt{index: first, rest: all[first+1:]}) == 0 {
		first = 0 // CAA changed since
	}
	for i := first; i < len(all); i++ {
		at = attempt{all[i], i, all[i+1:]}
		why := m.against(e, at, now)
		if why == "" {
			return at, because, false
		}
		because = why
	}
	return attempt{}, because, true
}

// against says why a host is not to be ordered for from an authority. The last
// one that may issue is waited for, unless it does not work.
func (m *Manager) against(e *entry, at attempt, now time.Time) string {
	if why := e.check.forbids(at.ca); why != "" {
		return why
	}
	if until, why := m.outages.down(at.ca, e.Host, now); !until.IsZero() {
		return why
	}
	if e.next(at) == 0 {
		return ""
	}
	t := now.UnixNano()
	if until := m.budget.accountNext(at.ca.ID, false, t); until > t {
		return at.ca.Name + ": it wants to be asked again at " + instant(until).UTC().Format(time.DateTime)
	}
	if e.held == nil || e.held.expired(now) {
		return ""
	}
	if next, _ := m.budget.next(e.purchase(at.ca, now), t); instant(next).After(e.held.notAfter) {
		return at.ca.Name + ": the budget lets nothing be ordered before the certificate expires"
	}
	return ""
}

// open reports whether the next host of a lane may be ordered for.
func (m *Manager) open(l *lane, now time.Time) bool {
	if m.outages.full(l.ca, m.work.at[l.ca.ID]) {
		return false
	}
	t := now.UnixNano()
	return m.budget.accountNext(l.ca.ID, l.pays, t) <= t
}

// startOrders takes hosts from the queue as long as the budget and the bound on
// what runs at a time let it.
func (m *Manager) startOrders(ctx context.Context, now time.Time) {
	if m.settings == nil || m.work.disk.full() {
		return
	}
	for m.work.orders < issuingAtOnce {
		e := m.queue.pop(func(l *lane) bool { return m.open(l, now) })
		if e == nil {
			return
		}
		if until, _ := m.outages.down(e.place.at.ca, e.Host, now); !until.IsZero() {
			continue // the next scan finds another authority, or the end of it
		}
		cost := e.purchase(e.place.at.ca, now)
		if !m.budget.reserve(cost, now.UnixNano()) {
			continue // the next scan looks again
		}
		m.startOrder(ctx, e, cost, now)
	}
}

// pause returns how long nothing can become due.
func (m *Manager) pause(now time.Time) time.Duration {
	next := lookEvery
	if m.work.orders >= issuingAtOnce || m.work.disk.full() {
		return next
	}
	for _, l := range m.queue.lanes {
		if len(l.hosts) > 0 && !m.outages.full(l.ca, m.work.at[l.ca.ID]) {
			at := m.budget.accountNext(l.ca.ID, l.pays, now.UnixNano())
			next = min(next, max(instant(at).Sub(now), time.Millisecond))
		}
	}
	return next
}

// poke wakes the keeper.
func (m *Manager) poke() { signal(m.wake) }

// signal leaves a token for who waits on c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one
	}
}

// tellClock says once that a certificate is not good yet: it is the clock of
// this machine that is wrong, and no order mends it.
func (m *Manager) tellClock(e *entry, now time.Time) {
	early := e.wanted && e.held != nil && e.held.early(now)
	if early && !e.warned {
		m.o.Log.Warn("a certificate is not good yet by the clock of this machine; is it right?",
			"host", e.Name, "not_before", e.held.notBefore, "now", now)
	}
	e.warned = early
}

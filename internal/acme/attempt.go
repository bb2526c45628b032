package acme

import (
	"context"
	"time"
)

// attempt says where an order is tried.
type attempt struct {
	ca    *authority
	index int          // among the authorities of the settings
	rest  []*authority // those after it
}

// order is one that runs.
type order struct {
	entry    *entry
	host     Host // as it was when it began
	at       attempt
	cost     purchase
	because  string
	tries    int
	look     bool     // look at DNS first: the last look is old
	replaces bool     // the certificate held is this authority's
	blind    bool     // it goes ahead also where DNS cannot be asked
	kinds    []string // challenges that can prove control; nil: any
	settings *Settings
	began    time.Time
}

// startOrder lets an order run on a goroutine of its own.
func (m *Manager) startOrder(ctx context.Context, e *entry, cost purchase, now time.Time) {
	o := &order{
		entry: e, host: e.Host, at: e.place.at, cost: cost, because: e.place.because, tries: e.fails(),
		look: m.settings.preflight.enabled && e.check.stale(e.place.at.ca, now), blind: e.blind(now),
		replaces: e.held != nil && e.held.caID == cost.account,
		settings: m.settings, began: now,
	}
	if m.settings.preflight.enabled && e.check != nil {
		o.kinds = e.check.kindsAt(o.at.ca)
	}
	ctx, e.stop = context.WithCancel(ctx)
	e.issuing = true
	m.work.orders++
	m.work.at[cost.account]++
	m.group.Go(func() { m.order(ctx, o) })
}

// order looks at DNS once more, stores what the order costs, and places it.
func (m *Manager) order(ctx context.Context, o *order) {
	if o.look && !m.lookFirst(ctx, o) {
		m.budget.release(o.cost)
		m.orderEnded(o, func(time.Time) {})
		return
	}
	if err := m.budget.commit(ctx, o.cost, m.o.Now().UnixNano()); err != nil {
		m.budget.release(o.cost)
		m.orderEnded(o, func(now time.Time) {
			if ctx.Err() == nil {
				m.diskFailed(err, now)
			}
		})
		return
	}
	got, err := m.obtain(ctx, o)
	var next *held
	if err == nil {
		if next, err = hold(got, m.o.Decoded); err != nil {
			err = &problem{Doing: "use the certificate", CA: o.at.ca.Name, Detail: clean(err.Error()), Cause: causeAuthority, err: err}
		}
	}
	m.orderEnded(o, func(now time.Time) {
		if err != nil {
			m.orderFailed(ctx, o, asProblem(err), now)
			return
		}
		m.orderDone(ctx, o, next, now)
	})
}

// lookFirst looks at DNS right before an order, and reports whether it may be
// placed.
func (m *Manager) lookFirst(ctx context.Context, o *order) bool {
	f := m.lookAt(ctx, o.host, o.at.ca, o.settings)
	if ctx.Err() != nil {
		return false // and what was not waited for is not known
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := o.entry
	e.looked(f, o.settings, m.o.Now())
	m.tellState(e)
	m.saved.touch(e)
	o.kinds = e.check.kindsAt(o.at.ca)
	return e.check.parked() == "" && e.check.forbids(o.at.ca) == "" && (o.blind || !e.check.unsure)
}

func (m *Manager) obtain(ctx context.Context, o *order) (*bundle, error) {
	req := request{Host: o.host, CA: o.at.ca, Attempt: o.tries, Challenges: o.kinds, Because: o.because}
	if o.replaces {
		former, err := m.shelf.get(ctx, o.host.Name)
		if err != nil {
			return nil, localProblem("read the certificate that is to be replaced", err)
		}
		if former != nil {
			req.Replaces, _ = former.leaf()
		}
	}
	return m.engine.obtain(ctx, req)
}

// orderEnded counts an order off and lets note write down what came of it.
func (m *Manager) orderEnded(o *order, note func(now time.Time)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.o.Now()
	e := o.entry
	m.work.orders--
	m.work.at[o.cost.account]--
	note(now)
	e.stop() // after note, which looks whether somebody else did
	e.stop, e.issuing = nil, false
	signal(m.unsaved)
	m.consider(e, now)
	m.tidy(e)
	m.poke()
}

// orderDone takes a new certificate into use.
func (m *Manager) orderDone(ctx context.Context, o *order, next *held, now time.Time) {
	e := o.entry
	m.budget.succeeded(o.cost)
	if was := m.outages.succeeded(o.at.ca, o.host); was != nil && was.counts() {
		m.o.Log.InfoContext(ctx, "an authority works again", "ca", o.at.ca.Name, "since", was.since)
		m.recovered()
	}
	m.work.took = average(m.work.took, now.Sub(o.began))
	result := resultIssued
	if e.held != nil {
		result = resultRenewed
	}
	m.o.Metrics.Ordered(o.at.ca.Name, result)
	m.o.Log.InfoContext(ctx, "certificate obtained", "host", e.Name, "tenant", e.Tenant, "ca", next.ca,
		"not_after", next.notAfter, "took", now.Sub(o.began).Round(time.Millisecond), "because", next.because)
	m.saved.touchLazily(e)
	if e.trouble != nil || e.asked || e.revoked || !e.served {
		m.saved.touch(e)
	}
	e.paid, e.trouble, e.since, e.turn = payment{}, nil, time.Time{}, 0
	e.asked, e.revoked, e.served = false, false, true
	if c := e.check; c != nil {
		e.check = &check{finding: finding{kinds: c.kinds, verdicts: c.verdicts}, again: again{set: now}}
	}
	m.replace(e, next)
}

// recovered lets those be tried again who failed because an authority did not
// work.
func (m *Manager) recovered() {
	now := m.o.Now()
	for _, e := range m.hosts {
		if e.trouble != nil && e.trouble.cause == causeAuthority {
			e.trouble.again = again{now, now}
		}
	}
	m.rescan = true
}

// replace makes a certificate the one that is served for a host.
func (m *Manager) replace(e *entry, next *held) {
	e.held = next
	e.told = ""
	m.publishLater(e.Tenant)
}

// orderFailed writes down why there is no certificate, and when to try again.
func (m *Manager) orderFailed(ctx context.Context, o *order, p *problem, now time.Time) {
	e := o.entry
	m.saved.touch(e)
	if ctx.Err() != nil {
		if p.Kept {
			e.pay(p, o.at.ca, now)
		}
		return // nobody wants it any more, or the process ends
	}
	switch p.Cause {
	case causeHere:
		m.diskSuspect()
	case causeLimit:
		m.budget.obey(o.cost, p, now)
	}
	switch {
	case p.unplaced():
		m.budget.release(o.cost)
	case p.Cause != causeHost:
		m.budget.succeeded(o.cost) // a failed validation is an owner's alone
	}
	if m.outages.failed(o.at.ca, o.host, p, span{o.began, now}) {
		m.o.Log.ErrorContext(ctx, "an authority does not work; nothing is ordered there for a while", "ca", o.at.ca.Name, "cause", p)
		m.requeue()
	}
	e.failed(p, o.at, now)
	if until, _ := m.outages.down(o.at.ca, o.host, now); p.Cause == causeAuthority && until.After(now) {
		// It is not the host's fault: it waits as all others do.
		e.trouble.again = again{until, now}
	}
	m.o.Metrics.Ordered(o.at.ca.Name, resultOf(p.Cause))
	m.o.Log.WarnContext(ctx, "certificate not obtained", "host", e.Name, "tenant", e.Tenant, "ca", o.at.ca.Name,
		"cause", p, "next", e.trouble.again.next, "tries", e.trouble.fails)
}

// requeue lets the next scan place all hosts anew.
func (m *Manager) requeue() {
	for _, e := range m.hosts {
		e.place, e.turn = place{}, 0
	}
	m.queue = queue{}
	m.rescan = true
}

// average weighs the last value with an eighth.
func average(former, last time.Duration) time.Duration {
	if former == 0 {
		return last
	}
	return former + (last-former)/8
}

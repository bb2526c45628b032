package acme

import (
	"context"
	"time"
)

// lookFunc looks whether an authority could prove control of a host: DNS leads
// here, CAA allows it, a wildcard has a provider. It spends nothing.
type lookFunc func(context.Context, Host, *authority, *Settings) finding

// finding is what a look at DNS found.
type finding struct {
	state  State    // why no order is placed; empty: nothing stands against one
	detail string   // in words, for whoever owns the name
	record string   // what its owner must set
	unsure bool     // DNS did not answer: nothing is known
	kinds  []string // challenges that can prove control; nil: any
	// verdicts are, by authority.ID, what was found about the authorities that
	// were looked at one by one; nil: the same holds for all.
	verdicts map[string]verdict
}

// verdict is what a look found about one authority.
type verdict struct {
	kinds []string // challenges that can prove control there
	why   string   // it must not issue, in words; empty: it may
}

// knows reports whether the look was about the authority.
func (f *finding) knows(ca *authority) bool {
	_, ok := f.verdicts[ca.ID]
	return ok || f.verdicts == nil
}

// kindsAt returns the challenges that can prove control at an authority; nil:
// any, for all that is known.
func (f *finding) kindsAt(ca *authority) []string {
	if f.verdicts == nil {
		return f.kinds
	}
	return f.verdicts[ca.ID].kinds
}

// check is the last look at a host.
type check struct {
	finding
	again  again // when to look again, and when it was looked
	bad    int   // looks in a row that found something
	lost   bool  // the domain counts as gone
	doubts int   // looks in a row that had no answer
}

const (
	// lookFresh is how long a look counts as one right before an order.
	lookFresh = 10 * time.Minute

	// looksAtOnce bounds the hosts whose DNS is asked at a time: five questions
	// each, in flight with a resolver that serves others too.
	looksAtOnce = 32

	// lookTimeLimit bounds one look: the resolver's own retries take less.
	lookTimeLimit = 30 * time.Second
)

// lookSteps are the waits between looks at a host whose DNS is not ready. An
// owner who is at it sees the result within a minute or two; who is not costs
// four questions a day.
func lookSteps() []time.Duration {
	return []time.Duration{
		time.Minute, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour,
	}
}

// lostSteps are the waits while a host with a certificate leads elsewhere: its
// owner may be moving, or DNS may be out of order, and neither ends in minutes.
func lostSteps() []time.Duration {
	return []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 24 * time.Hour}
}

// looked notes what a look found.
func (e *entry) looked(f finding, s *Settings, now time.Time) {
	c := &check{finding: f, again: again{set: now}}
	former := e.check
	if former != nil {
		c.bad = former.bad
	}
	switch {
	case f.unsure && former != nil && former.state != "":
		// What is known counts until something else is.
		c.finding = former.finding
	case f.unsure:
		c.bad = 0
		c.doubt(former, e.Name, now)
	case f.state == "":
		c.bad = 0
		e.served = true
	default:
		c.bad++
	}
	if c.state == "" {
		e.check = c
		return
	}
	steps := lookSteps()
	if e.held != nil {
		steps = lostSteps()
		c.lost = c.state == StatePendingDNS && c.bad >= s.preflight.lostAfter
	}
	wait := steps[min(max(c.bad, 1), len(steps))-1]
	c.again.next = now.Add(spreadOut(wait, e.Name))
	e.check = c
}

// due reports whether it is time to look at the host.
func (c *check) due(now time.Time) bool {
	if c == nil {
		return true
	}
	return (c.state != "" || c.unsure) && !c.again.when(now).After(now)
}

// forbids says why an authority must not issue for the host, or nothing.
func (c *check) forbids(ca *authority) string {
	if c == nil {
		return ""
	}
	return c.verdicts[ca.ID].why
}

// stale reports whether a look that found nothing is too old for an order, or
// was about other authorities.
func (c *check) stale(ca *authority, now time.Time) bool {
	if c == nil || !c.knows(ca) {
		return true
	}
	age := now.Sub(c.again.set)
	return age < 0 || age > lookFresh
}

// parked returns the state of a host that waits for its owner, or "".
func (c *check) parked() State {
	switch {
	case c == nil || c.state == "":
		return ""
	case c.lost:
		return StateParked
	}
	return c.state
}

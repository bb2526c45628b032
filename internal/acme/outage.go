package acme

import (
	"time"
)

const (
	// outageAfter is how many attempts must fail in a row, of whatever hosts,
	// before the authority counts as out of order for all of them.
	outageAfter = 3

	// probesAtOnce is how many orders go to an authority that was out of order,
	// until one succeeds.
	probesAtOnce = 1
)

// outage is an authority that does not work: down, out of order, or refusing
// our account. Nobody is sent there until it ends, and then one host at a time.
type outage struct {
	fails int
	steps int // waits that passed in vain
	cause cause
	words string
	since time.Time
	again again
}

// outages are kept by authority.ID, and by authority.ID and profile for
// profiles that the authority refuses.
type outages map[string]*outage

func profileKey(ca *authority, h Host) string { return ca.ID + " " + ca.profile(h) }

// down reports until when an authority is not to be asked for a host, and why.
func (o outages) down(ca *authority, h Host, now time.Time) (until time.Time, why string) {
	for _, key := range []string{ca.ID, profileKey(ca, h)} {
		one := o[key]
		if one == nil || !one.counts() {
			continue
		}
		if t := one.again.when(now); t.After(until) && t.After(now) {
			until, why = t, one.words
		}
	}
	return until, why
}

// counts reports whether enough has failed.
func (o *outage) counts() bool {
	return o.cause == causeAccount || o.cause == causeRequest || o.fails >= outageAfter
}

// full reports whether an authority that may have recovered is being tried
// already, with as many orders as run there.
func (o outages) full(ca *authority, running int) bool {
	one := o[ca.ID]
	return one != nil && one.counts() && running >= probesAtOnce
}

// succeeded ends an outage.
func (o outages) succeeded(ca *authority, h Host) (was *outage) {
	was = o[ca.ID]
	delete(o, ca.ID)
	delete(o, profileKey(ca, h))
	return was
}

// failed notes an attempt that failed, and when it began: those that run at the
// same time tell one thing. It reports whether an outage began.
func (o outages) failed(ca *authority, h Host, p *problem, ran span) (began bool) {
	key := ca.ID
	switch {
	case p.Stalled:
		return false // one tenant's names must not hold up everybody's
	case p.Cause == causeRequest && (p.Type == "invalidProfile" || p.Type == ""):
		key = profileKey(ca, h)
	case p.Cause != causeAuthority && p.Cause != causeAccount:
		return false
	}
	one := o[key]
	if one == nil {
		one = &outage{since: ran.end}
		o[key] = one
	}
	before := one.counts()
	one.fails++
	one.cause, one.words = p.Cause, p.Error()
	if !before || !ran.start.Before(one.again.set) {
		if before {
			one.steps++
		}
		one.again = again{ran.end.Add(max(one.wait(key), p.RetryAfter)), ran.end}
	}
	return !before && one.counts()
}

// span is when an order began and ended.
type span struct{ start, end time.Time }

// wait is how long nobody is sent to an authority that does not work. One that
// is down is tried every half hour at least: what expires does not wait longer.
func (o *outage) wait(key string) time.Duration {
	if o.cause != causeAuthority {
		return backoff(o.cause, o.steps+1, key)
	}
	steps := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	return steps[min(o.steps, len(steps)-1)]
}

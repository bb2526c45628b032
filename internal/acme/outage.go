package acme

import (
	"time"
)

const (
	// outageAfter is how many attempts with different hosts must fail in a row
	// before it counts as the authority's fault.
	outageAfter = 3

	// probesAtOnce is how many orders go to an authority that was out of order,
	// until one succeeds.
	probesAtOnce = 1
)

// outage is an authority that does not work: down, out of order, or refusing
// our account. Nobody is sent there until it ends, and then one host at a time.
type outage struct {
	fails int
	cause cause
	words string
	since time.Time
	set   time.Time
	until time.Time
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
		if t := rebase(one.until, one.set, now); t.After(until) && t.After(now) {
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

// failed notes an attempt that failed. It reports whether an outage began.
func (o outages) failed(ca *authority, h Host, p *problem, now time.Time) (began bool) {
	key := ca.ID
	switch {
	case p.Cause == causeRequest && (p.Type == "invalidProfile" || p.Type == ""):
		key = profileKey(ca, h)
	case p.Cause != causeAuthority && p.Cause != causeAccount:
		return false
	}
	one := o[key]
	if one == nil {
		one = &outage{since: now}
		o[key] = one
	}
	before := one.counts()
	one.fails++
	one.cause, one.words, one.set = p.Cause, p.Error(), now
	steps := min(one.fails-outageAfter+1, 5)
	if p.Cause != causeAuthority {
		steps = one.fails
	}
	one.until = now.Add(max(backoff(p.Cause, steps, key), p.RetryAfter))
	return !before && one.counts()
}

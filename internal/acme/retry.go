package acme

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"time"
)

// patience is how long to wait after an attempt that failed, by whose business
// it is: after the first, the second and so on, the last for all others.
func patience(c cause) []time.Duration {
	switch c {
	case causeHost:
		// An owner mends DNS within minutes or not for days. Five in an hour is
		// Let's Encrypt's limit; this stays far below it.
		return []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}
	case causeLimit:
		return []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour}
	case causeAccount, causeRequest:
		// Nothing changes before an operator acts, and then Configure tells.
		return []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}
	case causeHere:
		return []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute}
	}
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour}
}

// backoff is the wait after so many attempts in a row that failed. It differs
// by a tenth between hosts, so that those that failed together do not all come
// back together.
func backoff(c cause, fails int, name string) time.Duration {
	steps := patience(c)
	return spreadOut(steps[min(max(fails, 1), len(steps))-1], name)
}

// spreadOut lengthens a wait by up to a tenth.
func spreadOut(wait time.Duration, name string) time.Duration {
	return wait + time.Duration(float64(wait)/10*spread(name))
}

// attempts is how many attempts there can be in a time, the first at its
// beginning, after so many that failed.
func attempts(c cause, fails int, in time.Duration, name string) int {
	last := len(patience(c))
	n := 1
	for {
		wait := backoff(c, fails+n, name)
		if fails+n >= last {
			return n + int((in-1)/wait)
		}
		if in -= wait; in <= 0 {
			return n
		}
		n++
	}
}

// spread is a number from 0 to 1 that is always the same for a name.
func spread(name string) float64 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	// The low bits of this hash are the better ones.
	return float64(h&0xffff) / 0xffff
}

// failed notes an attempt that failed, and when the next one is.
func (e *entry) failed(p *problem, at attempt, now time.Time) {
	if e.trouble == nil {
		e.trouble = new(trouble)
	}
	t := e.trouble
	t.cause, t.words = p.Cause, p.Error()
	e.pay(p, at.ca, now)
	if next := e.next(at); next > 0 && p.elsewhere() {
		t.via, t.because, t.again = next, p.Error(), again{now, now}
		return
	}
	t.fails++
	t.via, t.because = 0, ""
	t.again = again{now.Add(max(backoff(p.Cause, t.fails, e.Name), p.RetryAfter)), now}
}

// pay notes whether the order of an attempt that failed is paid for. It stays
// so as long as that order is taken up again, counted from its beginning.
func (e *entry) pay(p *problem, ca *authority, now time.Time) {
	switch {
	case e.paid.covers(ca.ID, now) && (p.Kept || p.unplaced()):
	case p.Kept:
		e.paid = payment{ca.ID, now}
	default:
		e.paid = payment{}
	}
}

// next is the place among the authorities of the settings of the one after that
// of an attempt, of those that may issue for the host; 0: there is none.
func (e *entry) next(at attempt) int {
	for i, ca := range at.rest {
		if e.check.forbids(ca) == "" {
			return at.index + 1 + i
		}
	}
	return 0
}

// unplaced reports whether the authority has counted no order: it was out of
// order itself, or was never reached, or refuses to count further. Three days
// without it would otherwise use up the budget of those who are most urgent.
func (p *problem) unplaced() bool {
	switch {
	case p.Kept:
		return false
	case p.Cause != causeAuthority:
		return p.Cause == causeLimit
	}
	var dial *net.OpError
	var name *net.DNSError
	var trust *tls.CertificateVerificationError
	return p.Status >= 500 || errors.As(p, &name) || errors.As(p, &trust) || errors.As(p, &dial) && dial.Op == "dial"
}

// limitScope reads from the words of an authority's 429 whose bucket is empty.
// They are Boulder's, which Let's Encrypt and others run. Who says nothing is
// taken to mean the account, for a while.
func limitScope(p *problem) (s scope, sure bool) {
	words := strings.ToLower(p.Detail)
	switch {
	case strings.Contains(words, "failed authorizations"), strings.Contains(words, "failed validations"):
		return scopeHost, true
	case strings.Contains(words, "exact set"):
		return scopeHost, true
	case strings.Contains(words, "already issued"), strings.Contains(words, "registered domain"):
		return scopeDomain, true
	case strings.Contains(words, "account"):
		return scopeAccount, true
	}
	return scopeAccount, false
}

const (
	// unsureLimit bounds how long an account rests because of a 429 that does
	// not say what it counts: it may concern one name, and would then stop all
	// others. That name itself waits as long as it was told to.
	unsureLimit = time.Hour

	// silentLimit is how long an account rests because of a 429 without
	// Retry-After.
	silentLimit = 10 * time.Minute
)

// limited empties the bucket that an authority says is empty.
func (b *budget) obey(p purchase, said *problem, now time.Time) {
	wait := said.RetryAfter
	if wait <= 0 {
		wait = silentLimit
	}
	s, sure := limitScope(said)
	if !sure {
		wait = min(wait, unsureLimit)
	}
	b.limited(p, s, now.UnixNano(), now.Add(wait).UnixNano())
}

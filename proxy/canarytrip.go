package proxy

import (
	"net/http"
	"time"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// choose returns the pool that the request begins with.
func (t *trip) choose() *pool.Pool {
	ex := t.ex
	if c := ex.run.canaryOf(ex.verdict.Route); c != nil && c.takes(ex) {
		t.canary, ex.canary = c, true
		return c.pool
	}
	return ex.run.pools[ex.verdict.Route.Index()]
}

// next returns the backend whose turn it is, nil for none. The canary has one
// attempt: what it cannot take, or has failed without harm, goes to the backends
// beside it.
func (t *trip) next(n int, now time.Time) *pool.Member {
	if t.canary == nil {
		return t.round.Next(now)
	}
	if n == 0 {
		if member := t.round.Next(now); member != nil {
			return member
		}
	}
	t.canary, t.ex.canary = nil, false
	t.arrived = false // no retry: it takes nothing but the canary's share
	t.ex.run.metrics.CanaryPassed()
	t.round.Release()
	p := t.ex.run.pools[t.ex.verdict.Route.Index()]
	t.begin(p, now)
	return t.round.Next(now)
}

// attempts returns how many backends the request may be offered to: where it
// begins with the canary, one beside it at least.
func (t *trip) attempts() int {
	most := t.ex.verdict.Route.Attempts()
	if t.canary != nil {
		most = max(most, 2)
	}
	return most
}

// faredBy notes how an attempt at the canary ended that brought no answer, or not
// all of it. What is our fault or the client's says nothing about it.
func (t *trip) faredBy(o outcome) {
	failed := false
	switch t.ex.reason {
	case tenancy.BackendConnect, tenancy.BackendTLS, tenancy.BackendProtocol, tenancy.BackendTimeout:
		failed = true
	case tenancy.TotalTimeout:
		failed = t.buffered && t.ex.firstByte == 0 // nobody else was waited for
	}
	switch {
	case o == repeat && !t.blameless, o == settled && failed:
		t.canary.fared(1, 1)
	case o == answered && failed && t.ex.status < http.StatusInternalServerError:
		t.canary.fared(0, 1) // it was counted when it began
	}
}

// faredWith notes the status that the canary has answered with.
func (t *trip) faredWith(status int) {
	if t.canary == nil {
		return
	}
	errors := int64(0)
	if status >= http.StatusInternalServerError {
		errors = 1
	}
	t.canary.fared(1, errors)
}

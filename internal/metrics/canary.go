package metrics

import "sync/atomic"

// canary counts what a tenant's canaries do.
type canary struct {
	requests, errors, passed, givenUp atomic.Uint64
	down                              atomic.Int64
}

// Canary counts requests that canaries had, and errors among them.
func (t *Tenant) Canary(requests, errors uint64) {
	if t != nil {
		t.canary.requests.Add(requests)
		t.canary.errors.Add(errors)
	}
}

// CanaryPassed counts a request that a canary did not take, or failed, and that
// went to the backends beside it.
func (t *Tenant) CanaryPassed() {
	if t != nil {
		t.canary.passed.Add(1)
	}
}

// CanaryGivenUp counts a canary that was given up.
func (t *Tenant) CanaryGivenUp() {
	if t != nil {
		t.canary.givenUp.Add(1)
		t.canary.down.Add(1)
	}
}

// CanariesDown notes how many canaries of the table in use are given up.
func (t *Tenant) CanariesDown(n int) {
	if t != nil {
		t.canary.down.Store(int64(n))
	}
}

func (e emitter) canary(t *Tenant) {
	e.moved(tenantCanaryRequests, t.canary.requests.Load(), t.id)
	e.moved(tenantCanaryErrors, t.canary.errors.Load(), t.id)
	e.moved(tenantCanaryPassed, t.canary.passed.Load(), t.id)
	if ever := t.canary.givenUp.Load(); ever > 0 || t.canary.down.Load() > 0 {
		e.counter(tenantCanaryGivenUp, ever, t.id)
		e.gauge(tenantCanariesDown, float64(t.canary.down.Load()), t.id)
	}
}

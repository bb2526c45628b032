package proxy

import (
	"fmt"
	"sync/atomic"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// retriesToldEvery is how often it is worth a line in the log that a tenant has
// retried as much as it may.
const retriesToldEvery = 10 * time.Second

// retries is what a tenant's requests and their retries are counted in. A
// successor of the tenant goes on with it: a reload forgives nothing.
type retries struct {
	budget limit.Budget
	told   atomic.Int64 // when a line was last written, on the server's clock
}

// again reports whether the request may be offered to one more backend. One that
// no backend has had is no retry: it adds to nobody's load, however many cannot
// be reached.
func (t *trip) again(now time.Time) bool {
	ex := t.ex
	if t.arrived {
		r, at, a := ex.run.retries, ex.s.clock.at(now), ex.verdict.Tenant.Retries()
		if !r.budget.Take(at, a) {
			ex.run.metrics.RetryRefused()
			ex.detail = "the tenant's retries are used up"
			if last := r.told.Load(); (last == 0 || at-last >= int64(retriesToldEvery)) && r.told.CompareAndSwap(last, at) {
				ex.s.log.Warn("a tenant's retries are used up: requests that a backend has failed are refused and not sent to another one",
					"tenant", ex.verdict.Tenant.ID(), "retries", tenancy.RetriesText(a), "ref", string(ex.ref[:]), "backend", ex.backend)
			}
			return false
		}
	}
	ex.run.metrics.Retry()
	return true
}

// use says how much of its retries the tenant has used; false while it has used
// none.
func (r *retries) use(t *tenancy.Tenant, now int64) (use LimitUse, ok bool) {
	a := t.Retries()
	done, most := r.budget.Load(now, a)
	if done == 0 {
		return LimitUse{}, false
	}
	return LimitUse{
		Level: fmt.Sprintf("tenant %q", t.ID()), Limit: "retries", Text: tenancy.RetriesText(a),
		Used: min(1, float64(done)/float64(max(most, 1))),
		Now:  fmt.Sprintf("%d in the last %s, of %d", done, limit.BudgetWindow, most),
	}, true
}

package pool

import (
	"net/http"
	"strconv"
	"time"
)

// Answered notes the status with which the backend whose turn it is has answered.
// 502, 503 and 504 are what a process says in place of an application that is not
// there. 500 is an application that has a fault in what was asked of it: one is
// no reason to take it out, and many are where the table says so.
func (r *Round) Answered(status int, now time.Time) {
	switch {
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		r.Failed(now, "answered "+strconv.Itoa(status))
	case status >= http.StatusInternalServerError && r.member != nil && r.member.owner.Load().plan.Rules.Ejection.Errors > 0:
		r.erred(now, "answered "+strconv.Itoa(status))
	default:
		r.Succeeded(now)
	}
}

// erred notes an answer that is an error of a backend that lives.
func (r *Round) erred(now time.Time, how string) {
	m := r.member
	r.heard()
	m.failures.Store(0)
	if r.probing {
		r.probing = false
		m.owner.Load().eject(m, now, "the request that tried it: "+how, true)
		return
	}
	m.fared(now, how)
}

// fared counts a request that the member has answered, or failed for the reason
// how, and ejects it where too many of them fail.
func (m *Member) fared(now time.Time, how string) {
	p := m.owner.Load()
	rule := &p.plan.Rules.Ejection
	if rule.Errors == 0 {
		return
	}
	failed := int64(0)
	if how != "" {
		failed = 1
	}
	all, failed := m.rate.Add(now.UnixNano(), rule.Within, 1, failed)
	if how == "" || all < int64(rule.Of) || failed*100 < all*int64(rule.Errors) || m.isEjected() {
		return
	}
	p.eject(m, now, rule.why(failed, all, how), false)
}

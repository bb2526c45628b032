package tenancy

import (
	"fmt"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/limit"
)

// RetriesSpec is how often a request may be offered to a backend, as written.
type RetriesSpec struct {
	Pos      conf.Pos
	Attempts conf.At[int]                   `conf:"attempts" default:"3" doc:"how many backends a request is offered to, each once, 1 to 3; with 1 it is refused when the first has failed it. A rested connection that dies is replaced in any case" example:"2" also:"tries,retries" off:"1"`
	Budget   conf.At[conf.Percent]          `conf:"budget" default:"20%" doc:"how many of the tenant's requests may be sent to one more backend although they have reached one, as a share of all its requests over ten seconds. To pass over a backend that cannot be reached costs nothing. Not on hosts and routes" example:"10%"`
	Min      conf.At[conf.OrOff[conf.Rate]] `conf:"min" default:"10/s" doc:"how many of them there may be in any case, 1/s to 1000/s over ten seconds, although the share is less. Not on hosts and routes" example:"5/s"`
}

const (
	// attemptsMost is how many backends a request is offered to: the second
	// catches one that has just died, the third a second one. More would
	// multiply the load when all of them are in trouble.
	attemptsMost = 3
	// retryShareBuiltin lets a pool of five lose a backend without a word, and
	// adds a fifth to the load of backends that fail everything.
	retryShareBuiltin = 20
	// retryMinMost is what one process forwards beside other work: beyond it the
	// share says more.
	retryMinMost = 1000
)

// retryMinBuiltin: a tenant with a request now and then has no share to speak of.
var retryMinBuiltin = conf.Rate{Count: 10, Per: conf.Duration(time.Second)}

// CheckConf holds what is written to its bounds.
func (s *RetriesSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Attempts.Set() && (s.Attempts.V < 1 || s.Attempts.V > attemptsMost) {
		hint := ""
		if s.Attempts.V == 0 {
			hint = "write 1 for no retries"
		}
		r.Fault(s.Attempts.Pos, hint, "attempts is %d; expected 1 to %d", s.Attempts.V, attemptsMost)
	}
	every := s.Min.V.V.Every()
	if s.Min.Set() && !s.Min.V.Off && (every > time.Second || every < time.Second/retryMinMost) {
		r.Fault(s.Min.Pos, "write off for the share alone", "min is %q; expected 1/s to %d/s", s.Min.V.V, retryMinMost)
	}
}

// checkNarrow refuses on a host or route what is the tenant's.
func (s *RetriesSpec) checkNarrow(r *conf.Report) {
	if s == nil {
		return
	}
	for _, k := range []struct {
		name string
		pos  conf.Pos
	}{{"budget", s.Budget.Pos}, {"min", s.Min.Pos}} {
		if !k.pos.IsZero() {
			r.Fault(k.pos, "write it on the tenant, its group or the defaults", "%s stands on a host or route; it is over all that the tenant retries", k.name)
		}
	}
}

// allowance returns what s, merged, leaves for retries beside requests.
func (s *RetriesSpec) allowance() limit.Allowance {
	if s == nil {
		s = new(RetriesSpec)
	}
	a := limit.Allowance{Share: int(s.Budget.Or(retryShareBuiltin)), Every: retryMinBuiltin.Every()}
	if s.Min.Set() {
		a.Every = s.Min.V.V.Every()
	}
	return a
}

// attempts returns how many backends a request is offered to.
func (s *RetriesSpec) attempts() int {
	if s == nil {
		return attemptsMost
	}
	return s.Attempts.Or(attemptsMost)
}

// written returns where that is written; zero where it is not.
func (s *RetriesSpec) written() conf.Pos {
	if s == nil {
		return conf.Pos{}
	}
	return s.Pos
}

// Attempts returns how many backends a request is offered to at most, each once;
// at least 1.
func (r *Route) Attempts() int { return r.attempts }

// Retries returns how many of the tenant's requests may be sent to one more
// backend although one has had them.
func (t *Tenant) Retries() limit.Allowance { return t.retries }

// RetriesText says how many that are.
func RetriesText(a limit.Allowance) string {
	text := fmt.Sprintf("%d%% of requests", a.Share)
	if a.Every > 0 {
		text += fmt.Sprintf(", at least %d/s", time.Second/a.Every)
	}
	return text
}

// retries tells what is written of them.
func (t *Trace) retries(tenant *Tenant, r *Route) {
	switch {
	case t == nil || r.retriesPos.IsZero():
	case r.attempts == 1:
		t.pass(gateRetries, r.retriesPos, "no retries: it is offered to one backend")
	default:
		t.pass(gateRetries, r.retriesPos, fmt.Sprintf("offered to %d backends at most; retries: %s", r.attempts, RetriesText(tenant.retries)))
	}
}

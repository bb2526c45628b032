package proxy

import (
	"strconv"
	"time"

	"gatehouse/tenancy"
)

// refuseUntaken refuses a request that no backend has taken.
func (t *trip) refuseUntaken() {
	ex := t.ex
	if t.why != tenancy.NoHealthyBackend || !t.round.Crowded() {
		t.refuse(t.why)
		return
	}
	p := t.round.Pool()
	ex.at("pool "+strconv.Quote(p.Name()), "circuit_breaker")
	if p.Tell(time.Now()) {
		ex.s.log.Warn("the backends of a pool have as much to do as they may; requests are refused",
			"ref", string(ex.ref[:]), "pool", p.Name(), "rule", p.Plan().Rules.Breaker.String())
	}
	ex.s.refuseFor(ex, tenancy.TooManyInFlight, inFlightRetry)
}

// leaveRound ends the request's way through the backends.
func (t *trip) leaveRound() {
	t.round.Release()
	if t.round.Crowded() {
		t.ex.run.metrics.Crowded()
	}
}

package proxy

import (
	"time"

	"gatehouse/internal/limit"
)

// turnAway is when a piece of a body that was turned away tries again.
const turnAway = 20 * time.Millisecond

// toll is what one direction of a body owes for the processor time it has taken.
type toll struct {
	owed time.Duration
	turn limit.Turn
}

// pay pays for passing on n bytes.
func (ex *exchange) pay(t *toll, n int, quit <-chan struct{}) bool {
	return ex.owe(t, pieceCost+time.Duration(n)*byteCost, quit)
}

// owe waits for a turn once enough has been taken, with what is to be taken now.
// It reports false when the exchange has ended meanwhile; quit, where it is not
// nil, ends the wait, too. Nobody's time runs: neither client nor backend is
// waited for.
func (ex *exchange) owe(t *toll, cost time.Duration, quit <-chan struct{}) bool {
	t.owed += cost
	p := ex.s.processors
	if t.owed < crowdedQuantum || t.owed < quantum && !p.crowded.Load() {
		return true
	}
	ex.watch.touch(unbounded)
	owed, tenant := t.owed, ex.verdict.Tenant
	for t.owed = 0; ; {
		p.fair.Enter(&t.turn, tenant.ID(), tenant.Weight(), owed)
		given, goesOn := t.await(ex, quit)
		if given || !goesOn || !ex.rest(turnAway) {
			return given
		}
	}
}

// await waits for the turn, or until the exchange ends.
func (t *toll) await(ex *exchange, quit <-chan struct{}) (given, goesOn bool) {
	timer := time.NewTimer(paceTime)
	defer timer.Stop()
	for {
		select {
		case given = <-t.turn.Given():
			return given, true
		case <-quit:
		case <-timer.C:
			if ex.goesOn() {
				timer.Reset(paceTime)
				continue
			}
		}
		t.turn.Withdraw()
		return false, false
	}
}

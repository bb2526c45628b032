package proxy

import "time"

// paceTime is how long an answer waits at a time for its turn: a change of the
// bandwidth, and the end of the exchange, are seen by then.
const paceTime = 250 * time.Millisecond

// paceLeast is what is not waited for. What is owed is kept, and waited for with
// the next piece: a fast answer waits a hundred times in a second at most.
const paceLeast = 10 * time.Millisecond

// keepPace counts n bytes that go to the client, and waits as long as the
// exchange's ceilings have it wait, with flush before that: whoever takes an
// answer slowly is to see what there is of it. It reports false when the exchange
// has ended meanwhile. Nobody's time runs: neither client nor backend is waited
// for.
func (ex *exchange) keepPace(n int, flush func() error) bool {
	for _, b := range ex.bounds {
		if b.rules.Bandwidth == 0 {
			continue
		}
		flow := &b.counted.flow
		mark := flow.Pass(ex.s.clock.at(time.Now()), n)
		for {
			wait := flow.Wait(ex.s.clock.at(time.Now()), mark)
			if wait < paceLeast {
				break
			}
			if flush() != nil || !ex.rest(min(wait, paceTime)) {
				return false
			}
		}
	}
	return true
}

// nothingHeld flushes where nothing is held back.
func nothingHeld() error { return nil }

// rest waits for d, and reports whether the exchange goes on.
func (ex *exchange) rest(d time.Duration) bool {
	ex.watch.touch(unbounded)
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
	return ex.goesOn()
}

// goesOn reports whether nothing has ended the exchange.
func (ex *exchange) goesOn() bool {
	w := ex.watch
	return !w.cut() && !w.aborted() && !w.backendExpired() && !w.expired()
}

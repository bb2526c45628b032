package limit

import (
	"sync"
	"time"
)

// flowBurst is how much of a flow may pass at once, as time at its rate: enough
// that small answers never wait where there is little traffic.
const flowBurst = 250 * time.Millisecond

// Flow is a number of bytes in a second. Whoever sends says so when the bytes are
// on their way, and waits until they are paid for: nobody has to know beforehand
// how much there is, and each waits for its own bytes behind those that were
// sent before. The zero Flow has no rate, and nobody waits. All methods may be
// called at the same time.
type Flow struct {
	mu     sync.Mutex
	rate   int64 // bytes in a second
	last   int64 // the time at which paid was right
	paid   int64 // bytes, since the flow began
	passed int64 // bytes
}

// Set changes the rate, in bytes in a second; at 0 nobody waits.
func (f *Flow) Set(rate int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rate = rate
}

// Pass notes that n bytes are on their way, and returns the mark that Wait takes.
func (f *Flow) Pass(now int64, n int) (mark int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pay(now)
	f.passed += int64(n)
	return f.passed
}

// Wait returns how long it takes at the present rate until everything up to a
// mark is paid for; 0 if it is. Who waits for long asks again meanwhile, because
// the rate may change.
func (f *Flow) Wait(now, mark int64) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pay(now)
	if f.paid >= mark || f.rate <= 0 {
		return 0
	}
	return time.Duration(float64(mark-f.paid)/float64(f.rate)*float64(time.Second)) + 1
}

// Used returns how much of the rate is used, from 0 to 1.
func (f *Flow) Used(now int64) float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pay(now)
	if f.rate <= 0 {
		return 0
	}
	ahead := float64(f.paid-f.passed) / float64(max(f.burst(), 1))
	return 1 - min(max(ahead, 0), 1)
}

// burst is what may be paid in advance.
func (f *Flow) burst() int64 { return int64(float64(f.rate) * flowBurst.Seconds()) }

// pay pays for the time that has passed. What is less than a byte stays for
// later. A caller whose clock is behind another's pays nothing.
func (f *Flow) pay(now int64) {
	if f.rate <= 0 {
		f.paid, f.last = f.passed, now
		return
	}
	if now <= f.last {
		return
	}
	bytes := int64(float64(now-f.last) * float64(f.rate) / float64(time.Second))
	if most := f.passed + f.burst() - f.paid; bytes >= most {
		f.paid += max(most, 0)
		f.last = now
		return
	}
	f.paid += bytes
	f.last += int64(float64(bytes) * float64(time.Second) / float64(f.rate))
}

package limit

import (
	"sync/atomic"
	"time"
)

// Quota is how often something may happen: Burst times at once, and one more
// after each Every. The zero Quota is none: whoever holds one does not ask.
// Burst times Every must be below 2^62 ns.
type Quota struct {
	Every time.Duration // above zero
	Burst int64         // at least 1
}

// window is how long it takes until all of the burst is back.
func (q Quota) window() int64 { return int64(q.Every) * q.Burst }

// lagMax is how far the clocks of two callers are apart at most: whoever reads
// the clock may be kept from its processor before it takes.
const lagMax = 10 * time.Second

// take is the generic cell rate algorithm (ITU-T I.371, annex A): full is when
// all of the burst will be back, and it is all that a bucket remembers. It
// returns what to remember from now on and, if there was none to take, how long
// to wait for one.
//
// More than the window is owed in two cases. Another caller's clock is ahead;
// then it is no more than lagMax. Or the quota was a slower one: what that has
// counted makes an empty bucket of this one, and is not waited for.
func (q Quota) take(full, now int64) (next int64, wait time.Duration) {
	window := q.window()
	if full > now+window+int64(lagMax) {
		full = now + window
	}
	full = max(full, now)
	if late := full + int64(q.Every) - window - now; late > 0 {
		return full, time.Duration(late)
	}
	return full + int64(q.Every), 0
}

// Rate is one bucket. The zero Rate is ready and full. Its methods may be called
// at the same time; none waits or allocates.
type Rate struct{ full atomic.Int64 }

// Take takes one at the time now. It returns 0 if there was one, and otherwise
// how long it takes until there is one again; nothing is taken then.
func (r *Rate) Take(now int64, q Quota) (wait time.Duration) {
	for {
		full := r.full.Load()
		next, wait := q.take(full, now)
		if next == full || r.full.CompareAndSwap(full, next) {
			return wait
		}
	}
}

// Used returns how much of the burst is taken at the time now, from 0 to 1.
func (r *Rate) Used(now int64, q Quota) float64 {
	window := q.window()
	return float64(min(max(r.full.Load()-now, 0), window)) / float64(window)
}

package proxy

import (
	"sync/atomic"
	"time"
)

// tick is the step of the coarse clock and the time between two sweeps. Half a
// second keeps the promise that an abort or a revocation is seen within one.
const tick = 500 * time.Millisecond

// clock is coarse time: reading it costs one load, and nobody sets a timer.
// The sweeper moves it on once a tick.
type clock struct {
	start time.Time
	nanos atomic.Int64 // since start, at the last tick; at least 1
	unix  atomic.Int64 // the wall clock at the last tick, in seconds
}

func newClock() *clock {
	c := &clock{start: time.Now()}
	c.advance()
	return c
}

// advance sets the clock to the present.
func (c *clock) advance() {
	now := time.Now()
	c.nanos.Store(int64(now.Sub(c.start)) + 1)
	c.unix.Store(now.Unix())
}

// now returns the coarse time in nanoseconds since the clock began; at least 1.
func (c *clock) now() int64 { return c.nanos.Load() }

// seconds returns the coarse wall clock as Unix seconds, as the decisions of a
// table take it.
func (c *clock) seconds() int64 { return c.unix.Load() }

// at returns the exact time t on this clock.
func (c *clock) at(t time.Time) int64 { return int64(t.Sub(c.start)) + 1 }

// after returns the coarse time at which d has passed for certain, although the
// clock may be a whole tick behind.
func (c *clock) after(d time.Duration) int64 { return c.now() + int64(d) + int64(tick) }

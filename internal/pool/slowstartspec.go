package pool

import (
	"fmt"
	"time"

	"gatehouse/internal/conf"
)

// SlowStart is for how long a backend that has come up gets less than its weight
// says: caches are cold, and code is yet to be compiled.
type SlowStart time.Duration

const (
	slowStartLeast = time.Second
	// slowStartMost: what takes longer to be warm is brought in by weight.
	slowStartMost = time.Hour
)

// ConfType describes slow starts.
func (*SlowStart) ConfType() conf.Type { return new(conf.Duration).ConfType() }

// ParseConf reads a duration of a second to an hour.
func (s *SlowStart) ParseConf(text string) error {
	var d conf.Duration
	if err := d.ParseConf(text); err != nil {
		return err
	}
	if t := time.Duration(d); t < slowStartLeast || t > slowStartMost {
		return fmt.Errorf("slow_start is %q; expected %s to %s, or off", text, conf.Duration(slowStartLeast), conf.Duration(slowStartMost))
	}
	*s = SlowStart(d)
	return nil
}

// String returns s as ParseConf reads it.
func (s SlowStart) String() string { return conf.Duration(s).String() }

const (
	// rampFirst is the share of its weight, in hundredths, that a backend begins
	// with.
	rampFirst = 10
	// rampSteps is in how many steps it comes to all of it.
	rampSteps = 20
)

// ramp returns the share of its weight, in hundredths, that a backend gets that
// came up at since, and when there is more; zero for never.
func (s SlowStart) ramp(since, now time.Time) (share uint64, again time.Time) {
	age := now.Sub(since)
	if s == 0 || age >= time.Duration(s) {
		return 100, time.Time{}
	}
	again = now.Add(time.Duration(s) / rampSteps)
	if end := since.Add(time.Duration(s)); again.After(end) {
		again = end
	}
	return max(rampFirst, uint64(100*max(age, 0)/time.Duration(s))), again
}

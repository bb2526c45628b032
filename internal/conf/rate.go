package conf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may happen: so many times in so long, written
// 300/3h, or 500/s for a unit that stands for one of it. The zero Rate is none.
type Rate struct {
	Count int64
	Per   Duration
}

// maxRateCount is the most that may be written: no machine does anything a
// thousand million times that is worth counting, and it is far from overflow.
const maxRateCount = 1_000_000_000

// ConfType describes rates.
func (*Rate) ConfType() Type {
	return Type{
		Name:    "rate",
		Unit:    "a number for each ms, s, m, h or d",
		Pattern: `^[0-9]+/(ms|s|m|h|d|([0-9]+(ms|s|m|h|d))+)$`,
		Example: "300/3h",
	}
}

// ParseConf reads a whole number, a slash, and a duration or a unit alone.
func (r *Rate) ParseConf(text string) error {
	number, per, ok := strings.Cut(text, "/")
	if !ok || !isDigits(number) || per == "" {
		return notARatio(text)
	}
	if number, _, _ := cutQuantity(per); number == "" {
		per = "1" + per
	}
	length, err := sumOfUnits(per)
	if err != nil || length > maxDuration {
		return notARatio(text)
	}
	count, err := strconv.ParseInt(number, 10, 64)
	switch {
	case err != nil || count > maxRateCount:
		return fmt.Errorf("%q is too much; a rate is at most %d for each unit", text, maxRateCount)
	case count == 0 || length == 0:
		return fmt.Errorf("%q never happens; a rate is at least one, in a time above zero", text)
	}
	r.Count, r.Per = count, length
	return nil
}

// String returns r as ParseConf reads it.
func (r Rate) String() string {
	per := r.Per.String()
	for _, unit := range durationUnits {
		if r.Per == unit.length {
			per = unit.name
		}
	}
	return strconv.FormatInt(r.Count, 10) + "/" + per
}

// Every returns the mean time from one to the next; 0 for the zero Rate.
func (r Rate) Every() time.Duration {
	if r.Count == 0 {
		return 0
	}
	return time.Duration(r.Per) / time.Duration(r.Count)
}

func notARatio(text string) error {
	return fmt.Errorf("%q is not a rate; write it like %q or %q, a number and the time in which it may be reached", text, "300/3h", "500/s")
}

package conf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time, written with its units: 1h30m.
type Duration time.Duration

// maxDuration is the longest duration that may be written: ten years, which is
// more than anything here is meant to last and far from overflow.
const maxDuration = Duration(3650 * 24 * time.Hour)

// durationUnits lists the units from the longest, the order in which they are
// written.
var durationUnits = []struct {
	name   string
	length Duration
}{
	{"d", Duration(24 * time.Hour)},
	{"h", Duration(time.Hour)},
	{"m", Duration(time.Minute)},
	{"s", Duration(time.Second)},
	{"ms", Duration(time.Millisecond)},
}

// ConfType describes durations.
func (*Duration) ConfType() Type {
	return Type{
		Name:    "duration",
		Unit:    "ms, s, m, h, d",
		Pattern: `^([0-9]+(ms|s|m|h|d))+$`,
		Example: "1h30m",
	}
}

// ParseConf reads whole numbers with units, longest unit first.
func (d *Duration) ParseConf(text string) error {
	switch {
	case isDigits(text):
		return fmt.Errorf("%q has no unit; write it like %q", text, text+"s")
	case strings.HasPrefix(text, "-"):
		return fmt.Errorf("%q is negative; a duration is 0s or longer", text)
	}
	sum, err := sumOfUnits(text)
	switch {
	case errors.Is(err, strconv.ErrRange) || sum > maxDuration:
		return fmt.Errorf("%q is too long; a duration is at most %q (ten years)", text, maxDuration)
	case err != nil:
		return fmt.Errorf("%q is not a duration; write it like %q, with whole numbers and the units d, h, m, s, ms in this order", text, "1h30m")
	}
	*d = sum
	return nil
}

// String returns d as ParseConf reads it. Parts below a millisecond, which
// cannot be written, are left out.
func (d Duration) String() string {
	if d <= 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range durationUnits {
		if n := d / unit.length; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10))
			b.WriteString(unit.name)
			d %= unit.length
		}
	}
	return b.String()
}

// sumOfUnits adds up "1h30m". Its error is strconv.ErrRange or one that only
// says that text is not of this form.
func sumOfUnits(text string) (Duration, error) {
	var sum Duration
	units, rest := durationUnits, text
	for {
		number, unit, tail := cutQuantity(rest)
		for len(units) > 0 && units[0].name != unit {
			units = units[1:]
		}
		if number == "" || len(units) == 0 {
			return 0, strconv.ErrSyntax
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || Duration(n) > maxDuration/units[0].length {
			return 0, strconv.ErrRange
		}
		sum += Duration(n) * units[0].length
		if tail == "" {
			return sum, nil
		}
		units, rest = units[1:], tail
	}
}

// cutQuantity cuts "30m15s" into "30", "m" and "15s".
func cutQuantity(text string) (number, unit, rest string) {
	isDigit := func(c rune) bool { return '0' <= c && c <= '9' }
	end := strings.IndexFunc(text, func(c rune) bool { return !isDigit(c) })
	if end < 0 {
		return text, "", ""
	}
	number, rest = text[:end], text[end:]
	end = strings.IndexFunc(rest, isDigit)
	if end < 0 {
		return number, rest, ""
	}
	return number, rest[:end], rest[end:]
}

// isDigits reports whether text is a bare number.
func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

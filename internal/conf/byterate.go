package conf

import (
	"fmt"
	"strings"
)

// ByteRate is a number of bytes in a second, written as a [Size] with /s behind
// it: 240B/s. The word off stands for 0, which is no rate at all.
type ByteRate int64

const (
	rateOff   = "off"
	perSecond = "/s"
)

// ConfType describes byte rates.
func (*ByteRate) ConfType() Type {
	return Type{
		Name:    "byte rate",
		Unit:    "B/s, KiB/s, MiB/s, GiB/s, or off",
		Pattern: `^(off|[0-9]+(B|KiB|MiB|GiB)/s)$`,
		Example: "240B/s",
	}
}

// ParseConf reads a size and the second that it is meant for, or off.
func (r *ByteRate) ParseConf(text string) error {
	if text == rateOff {
		*r = 0
		return nil
	}
	number, isRate := strings.CutSuffix(text, perSecond)
	var size Size
	err := size.ParseConf(number)
	switch {
	case isDigits(number):
		return fmt.Errorf("%q has no unit; write it like %q", text, number+"B"+perSecond)
	case strings.HasPrefix(text, "-"):
		return fmt.Errorf("%q is negative; a byte rate is 0B/s or more", text)
	case err == nil && !isRate:
		return fmt.Errorf("%q has no time; write it like %q", text, text+perSecond)
	case err != nil:
		return notARate(text)
	}
	*r = ByteRate(size)
	return nil
}

// String returns r as ParseConf reads it.
func (r ByteRate) String() string {
	if r <= 0 {
		return rateOff
	}
	return Size(r).String() + perSecond
}

func notARate(text string) error {
	return fmt.Errorf("%q is not a byte rate; write it like %q, with one of the units B/s, KiB/s, MiB/s, GiB/s, or write %q", text, "240B/s", rateOff)
}

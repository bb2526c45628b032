package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// off switches off what a wider level has set.
const off = "off"

// OrOff is a T, or the word off in its place. *T is a [Scalar] whose pattern has
// an anchor at both ends. The zero OrOff is the zero T.
type OrOff[T any] struct {
	V   T
	Off bool
}

func (o *OrOff[T]) scalar() Scalar { return any(&o.V).(Scalar) }

// ConfType describes T with one word more.
func (o *OrOff[T]) ConfType() Type {
	t := o.scalar().ConfType()
	if t.Unit != "" {
		t.Unit += ", "
	}
	t.Unit += "or " + off
	t.Pattern = "^(" + off + "|" + strings.TrimSuffix(strings.TrimPrefix(t.Pattern, "^"), "$") + ")$"
	return t
}

// ParseConf reads off, or what T reads.
func (o *OrOff[T]) ParseConf(text string) error {
	if o.Off = text == off; o.Off {
		return nil
	}
	return o.scalar().ParseConf(text)
}

// Count is how many of something there may be.
type Count int64

// countMax is more than there is of anything that is counted.
const countMax = 1_000_000_000

// ConfType describes counts.
func (*Count) ConfType() Type {
	return Type{Name: "whole number", Pattern: `^[0-9]+$`, Example: "200"}
}

// ParseConf reads decimal digits.
func (c *Count) ParseConf(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case !isDigits(text):
		return fmt.Errorf("%q is not a count; write it like %q", text, "200")
	case err != nil || n > countMax:
		return fmt.Errorf("%q is too much; a count is at most %d", text, countMax)
	}
	*c = Count(n)
	return nil
}

// String returns c as ParseConf reads it.
func (c Count) String() string { return strconv.FormatInt(int64(c), 10) }

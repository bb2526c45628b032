package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with its unit: 64MiB.
type Size int64

// sizeUnits lists the units from the largest.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"B", 1},
}

// ConfType describes sizes.
func (*Size) ConfType() Type {
	return Type{
		Name:    "size",
		Unit:    "B, KiB, MiB, GiB",
		Pattern: `^[0-9]+(B|KiB|MiB|GiB)$`,
		Example: "64MiB",
	}
}

// ParseConf reads a whole number with one unit.
func (s *Size) ParseConf(text string) error {
	switch {
	case isDigits(text):
		return fmt.Errorf("%q has no unit; write it like %q", text, text+"B")
	case strings.HasPrefix(text, "-"):
		return fmt.Errorf("%q is negative; a size is 0B or more", text)
	}
	number, unit, rest := cutQuantity(text)
	if number == "" || rest != "" {
		return notASize(text)
	}
	for _, u := range sizeUnits {
		if u.name != unit {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || Size(n) > math.MaxInt64/u.bytes {
			return fmt.Errorf("%q is too large; a size is below 8589934592GiB", text)
		}
		*s = Size(n) * u.bytes
		return nil
	}
	if near := nearUnit(unit); near != "" {
		return fmt.Errorf("%q has an unknown unit; write %q", text, number+near)
	}
	return notASize(text)
}

// String returns s in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s >= u.bytes && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

func notASize(text string) error {
	return fmt.Errorf("%q is not a size; write it like %q, with one of the units B, KiB, MiB, GiB", text, "64MiB")
}

// nearUnit returns what k, KB, kb, kib and the like most likely stand for.
func nearUnit(unit string) string {
	letter := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(unit), "b"), "i")
	switch letter {
	case "":
		return "B"
	case "k", "m", "g":
		return strings.ToUpper(letter) + "iB"
	}
	return ""
}

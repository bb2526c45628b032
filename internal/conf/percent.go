package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// Percent is a share of 0 to 100 hundredths.
type Percent int

// ConfType describes percentages.
func (*Percent) ConfType() Type {
	return Type{Name: "percentage", Unit: "%", Pattern: `^(100|[1-9]?[0-9])%$`, Example: "50%"}
}

// ParseConf reads a whole number with its sign, like "50%".
func (p *Percent) ParseConf(text string) error {
	digits, ok := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(digits)
	switch {
	case isDigits(text):
		return fmt.Errorf("%q has no %%; write it like %q", text, "50%")
	case ok && strings.HasPrefix(text, "-") && isDigits(digits[1:]):
		return fmt.Errorf("%q is negative; expected 0%% to 100%%", text)
	case ok && isDigits(digits) && digits[0] != '0' && (err != nil || n > 100):
		return fmt.Errorf("%q is too much; a percentage is at most 100%%", text)
	case !ok || err != nil || n < 0 || digits != strconv.Itoa(n):
		return fmt.Errorf("%q is not a percentage; write it as a whole number, like %q", text, "50%")
	}
	*p = Percent(n)
	return nil
}

// String returns p as ParseConf reads it.
func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }

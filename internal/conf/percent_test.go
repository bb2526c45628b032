package conf

import "testing"

func TestPercent(t *testing.T) {
	shape := `is not a percentage; write it as a whole number, like "50%"`
	for text, want := range map[string]string{
		"0%":                    "0%",
		"7%":                    "7%",
		"50%":                   "50%",
		"100%":                  "100%",
		"101%":                  `"101%" is too much; a percentage is at most 100%`,
		"150%":                  `"150%" is too much; a percentage is at most 100%`,
		"99999999999999999999%": `"99999999999999999999%" is too much; a percentage is at most 100%`,
		"007%":                  `"007%" ` + shape,
		"05%":                   `"05%" ` + shape,
		"50":                    `"50" has no %; write it like "50%"`,
		"%":                     `"%" ` + shape,
		"":                      `"" ` + shape,
		"-1%":                   `"-1%" is negative; expected 0% to 100%`,
		"-%":                    `"-%" ` + shape,
		"+5%":                   `"+5%" ` + shape,
		"1.5%":                  `"1.5%" ` + shape,
	} {
		if got := parsed[Percent](text); got != want {
			t.Errorf("percentage %q = %s, want %s", text, got, want)
		}
	}
}

package conf

import (
	"regexp"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	shape := `is not a rate; write it like "300/3h" or "500/s", a number and the time in which it may be reached`
	pattern := regexp.MustCompile((*Rate)(nil).ConfType().Pattern)
	for text, want := range map[string]string{
		"300/3h":                 "300/3h",
		"50/168h":                "50/7d",
		"500/s":                  "500/s",
		"500/1s":                 "500/s",
		"5/1h30m":                "5/1h30m",
		"1/d":                    "1/d",
		"1000000000/ms":          "1000000000/ms",
		"1000000001/s":           `"1000000001/s" is too much; a rate is at most 1000000000 for each unit`,
		"99999999999999999999/s": `"99999999999999999999/s" is too much; a rate is at most 1000000000 for each unit`,
		"0/s":                    `"0/s" never happens; a rate is at least one, in a time above zero`,
		"5/0s":                   `"5/0s" never happens; a rate is at least one, in a time above zero`,
		"":                       `"" ` + shape,
		"5":                      `"5" ` + shape,
		"5/":                     `"5/" ` + shape,
		"/s":                     `"/s" ` + shape,
		"-5/s":                   `"-5/s" ` + shape,
		"5/3":                    `"5/3" ` + shape,
		"5/w":                    `"5/w" ` + shape,
		"5 / s":                  `"5 / s" ` + shape,
		"5/s/s":                  `"5/s/s" ` + shape,
		"5/4000d":                `"5/4000d" ` + shape,
	} {
		got := parsed[Rate](text)
		if got != want {
			t.Errorf("rate %q = %s, want %s", text, got, want)
		}
		if got[0] != '"' && !pattern.MatchString(text) {
			t.Errorf("rate %q does not match its pattern", text)
		}
	}
	if got, want := (Rate{300, Duration(3 * time.Hour)}).Every(), 36*time.Second; got != want {
		t.Errorf("300/3h is one in %s, want %s", got, want)
	}
	if got := (Rate{}).Every(); got != 0 {
		t.Errorf("no rate is one in %s, want 0", got)
	}
}

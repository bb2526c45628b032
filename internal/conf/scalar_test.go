package conf

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

// parsed returns what into prints as after reading text, or the refusal.
func parsed[T any, P interface {
	*T
	Scalar
}](text string) string {
	var v T
	if err := P(&v).ParseConf(text); err != nil {
		return err.Error()
	}
	return fmt.Sprint(v)
}

func TestDuration(t *testing.T) {
	shape := `is not a duration; write it like "1h30m", with whole numbers and the units d, h, m, s, ms in this order`
	long := `is too long; a duration is at most "3650d" (ten years)`
	for text, want := range map[string]string{
		"0s":                    "0s",
		"500ms":                 "500ms",
		"1500ms":                "1s500ms",
		"1h30m":                 "1h30m",
		"730d":                  "730d",
		"1d2h3m4s5ms":           "1d2h3m4s5ms",
		"3650d":                 "3650d",
		"3650d1ms":              `"3650d1ms" ` + long,
		"87601h":                `"87601h" ` + long,
		"99999999999999999999s": `"99999999999999999999s" ` + long,
		"30":                    `"30" has no unit; write it like "30s"`,
		"0":                     `"0" has no unit; write it like "0s"`,
		"-5s":                   `"-5s" is negative; a duration is 0s or longer`,
		"":                      `"" ` + shape,
		"s":                     `"s" ` + shape,
		"1.5h":                  `"1.5h" ` + shape,
		"30m1h":                 `"30m1h" ` + shape,
		"1s1s":                  `"1s1s" ` + shape,
		"1h30":                  `"1h30" ` + shape,
		"1 h":                   `"1 h" ` + shape,
		"5us":                   `"5us" ` + shape,
		"1H":                    `"1H" ` + shape,
		"+1s":                   `"+1s" ` + shape,
		"１s":                    `"１s" ` + shape,
	} {
		if got := parsed[Duration](text); got != want {
			t.Errorf("duration %q = %s, want %s", text, got, want)
		}
	}
	var d Duration
	if err := d.ParseConf("1h30m"); err != nil || time.Duration(d) != 90*time.Minute {
		t.Errorf("1h30m = %v, %v, want 90 minutes", time.Duration(d), err)
	}
}

func TestSize(t *testing.T) {
	shape := `is not a size; write it like "64MiB", with one of the units B, KiB, MiB, GiB`
	for text, want := range map[string]string{
		"0B":                    "0B",
		"1B":                    "1B",
		"1024B":                 "1KiB",
		"1025B":                 "1025B",
		"64MiB":                 "64MiB",
		"2GiB":                  "2GiB",
		"8589934591GiB":         "8589934591GiB",
		"8589934592GiB":         `"8589934592GiB" is too large; a size is below 8589934592GiB`,
		"9999999999999B":        "9999999999999B",
		"99999999999999999999B": `"99999999999999999999B" is too large; a size is below 8589934592GiB`,
		"64":                    `"64" has no unit; write it like "64B"`,
		"-1B":                   `"-1B" is negative; a size is 0B or more`,
		"64KB":                  `"64KB" has an unknown unit; write "64KiB"`,
		"64kb":                  `"64kb" has an unknown unit; write "64KiB"`,
		"64MB":                  `"64MB" has an unknown unit; write "64MiB"`,
		"64m":                   `"64m" has an unknown unit; write "64MiB"`,
		"1G":                    `"1G" has an unknown unit; write "1GiB"`,
		"1gib":                  `"1gib" has an unknown unit; write "1GiB"`,
		"1b":                    `"1b" has an unknown unit; write "1B"`,
		"1TiB":                  `"1TiB" ` + shape,
		"1MiB1KiB":              `"1MiB1KiB" ` + shape,
		"1.5MiB":                `"1.5MiB" ` + shape,
		"MiB":                   `"MiB" ` + shape,
		"":                      `"" ` + shape,
	} {
		if got := parsed[Size](text); got != want {
			t.Errorf("size %q = %s, want %s", text, got, want)
		}
	}
}

func TestByteRate(t *testing.T) {
	shape := `is not a byte rate; write it like "240B/s", with one of the units B/s, KiB/s, MiB/s, GiB/s, or write "off"`
	for text, want := range map[string]string{
		"off":       "off",
		"0B/s":      "off",
		"240B/s":    "240B/s",
		"1024B/s":   "1KiB/s",
		"2MiB/s":    "2MiB/s",
		"240":       `"240" has no unit; write it like "240B/s"`,
		"0":         `"0" has no unit; write it like "0B/s"`,
		"240/s":     `"240/s" has no unit; write it like "240B/s"`,
		"240B":      `"240B" has no time; write it like "240B/s"`,
		"-1B/s":     `"-1B/s" is negative; a byte rate is 0B/s or more`,
		"240B/m":    `"240B/m" ` + shape,
		"240 B/s":   `"240 B/s" ` + shape,
		"240kbit/s": `"240kbit/s" ` + shape,
		"/s":        `"/s" ` + shape,
		"":          `"" ` + shape,
		"none":      `"none" ` + shape,
	} {
		if got := parsed[ByteRate](text); got != want {
			t.Errorf("byte rate %q = %s, want %s", text, got, want)
		}
	}
}

func TestDate(t *testing.T) {
	shape := `is not a date; write it as year-month-day, like "2027-01-31"`
	none := `is not in the calendar; write a day like "2027-01-31"`
	for text, want := range map[string]string{
		"2027-01-31": "2027-01-31",
		"2028-02-29": "2028-02-29",
		"2027-02-29": `"2027-02-29" ` + none,
		"2027-13-01": `"2027-13-01" ` + none,
		"2027-00-10": `"2027-00-10" ` + none,
		"2027-1-31":  `"2027-1-31" ` + shape,
		"31.01.2027": `"31.01.2027" ` + shape,
		"tomorrow":   `"tomorrow" ` + shape,
		"":           `"" ` + shape,
	} {
		if got := parsed[Date](text); got != want {
			t.Errorf("date %q = %s, want %s", text, got, want)
		}
	}
	day := Date{2027, time.January, 31}.Day()
	if want := time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC); !day.Equal(want) || day.Location() != time.UTC {
		t.Errorf("Day() = %v, want %v", day, want)
	}
}

// A good text matches the pattern of its type, its example is good, and what
// String prints can be read again.
func TestScalarTypes(t *testing.T) {
	for _, scalar := range []Scalar{new(Duration), new(Size), new(ByteRate), new(Date)} {
		described := scalar.ConfType()
		if !regexp.MustCompile(described.Pattern).MatchString(described.Example) {
			t.Errorf("%s: example %q does not match %s", described.Name, described.Example, described.Pattern)
		}
		if err := scalar.ParseConf(described.Example); err != nil {
			t.Errorf("%s: example %q: %v", described.Name, described.Example, err)
		}
	}
}

func FuzzScalars(f *testing.F) {
	for _, seed := range []string{"1h30m", "64MiB", "240B/s", "off", "2027-01-31", "", "-1", "9999999999999999999d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkScalar[Duration](t, text)
		checkScalar[Size](t, text)
		checkScalar[ByteRate](t, text)
		checkScalar[Date](t, text)
	})
}

func checkScalar[T comparable, P interface {
	*T
	Scalar
}](t *testing.T, text string) {
	var v, again T
	if P(&v).ParseConf(text) != nil {
		return
	}
	described := P(&v).ConfType()
	if !regexp.MustCompile(described.Pattern).MatchString(text) {
		t.Errorf("%s %q is read and does not match %s", described.Name, text, described.Pattern)
	}
	if err := P(&again).ParseConf(fmt.Sprint(v)); err != nil || again != v {
		t.Errorf("%s %q prints as %v, which reads as %v, %v", described.Name, text, v, again, err)
	}
}

func TestSecretIsRedacted(t *testing.T) {
	const place = "hidden-place"
	at := At[string]{place, Pos{"f", 1, 1}}
	for want, secret := range map[string]Secret{
		"[redacted file]":       {File: at},
		"[redacted env]":        {Env: at},
		"[redacted credential]": {Credential: at},
		"[no secret]":           {},
	} {
		marshalled, err := json.Marshal(map[string]any{"key": secret, "at": At[*Secret]{V: &secret}})
		if err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "key", secret, "pointer", &secret)
		printed := fmt.Sprintf("%v %+v %#v %s %v", secret, secret, secret, secret, struct{ Key Secret }{secret})
		for _, shown := range []string{string(marshalled), logged.String(), printed} {
			if strings.Contains(shown, place) || !strings.Contains(shown, want) {
				t.Errorf("%s shows, want %s alone", shown, want)
			}
		}
	}
}

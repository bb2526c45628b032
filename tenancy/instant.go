package tenancy

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/conf"
)

// The forms of a date and time that stands beside its zone.
const (
	minuteLayout = "2006-01-02T15:04"
	secondLayout = "2006-01-02T15:04:05"
)

var instantLayouts = []string{minuteLayout, secondLayout, time.DateOnly}

// clockLayout is the form of a time of day.
const clockLayout = "15:04"

// readInstant reads an instant: RFC 3339, or a date and time with a blank and
// its zone behind it, or with zone where that is given. A date is its first
// second; zone must be given with it.
func readInstant(text, zone string) (t time.Time, ok bool) {
	if zone == "" {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t, t.Unix() > 0
		}
		text, zone, _ = strings.Cut(text, " ")
	}
	place, ok := readZone(zone)
	if !ok {
		return time.Time{}, false
	}
	for _, layout := range instantLayouts {
		if clock, err := time.Parse(layout, text); err == nil {
			t := onClock(clock, place)
			return t, t.Unix() > 0
		}
	}
	return time.Time{}, false
}

// whyNoTime says what is wrong with a time that has one of the forms, with its
// zone behind it or beside it; "" where it has none of them, or no zone at all.
func whyNoTime(text, beside string, layouts ...string) string {
	clock, zone, _ := strings.Cut(text, " ")
	formed := false
	for _, layout := range layouts {
		_, err := time.Parse(layout, clock)
		formed = formed || err == nil
		var wrong *time.ParseError
		if errors.As(err, &wrong) {
			if part, none := strings.CutSuffix(wrong.Message, " out of range"); none {
				return "there is no such " + strings.TrimPrefix(part, ": ")
			}
		}
	}
	_, err := time.Parse(time.RFC3339, text)
	_, known := readZone(zone)
	switch {
	case beside != "" && (err == nil || formed && known):
		return "zone stands beside it; expected the zone in one of them"
	case formed && zone != "" && !known && isLetter(zone[0]):
		return fmt.Sprintf("there is no time zone %q; expected one like %q", zone, "Europe/Riga")
	case err == nil || formed && (known || beside != ""):
		return "expected a time after 1970"
	}
	return ""
}

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

// readZone reads the name of a time zone. The machine's own has none: a file
// means the same wherever it is read.
func readZone(name string) (place *time.Location, ok bool) {
	if name == "" || name == "Local" {
		return nil, false
	}
	place, err := time.LoadLocation(name)
	return place, err == nil
}

// onClock returns when the clocks in place show what clock shows in UTC. A time
// that they show twice is the first of the two, one that they leap over is as
// far behind the leap as it is written behind it (RFC 5545 section 3.3.5).
func onClock(clock time.Time, place *time.Location) time.Time {
	// Zones do not change twice within two days.
	before, after := offset(clock.Add(-24*time.Hour), place), offset(clock.Add(24*time.Hour), place)
	t := clock.Add(-before).In(place)
	if offset(t, place) == before {
		return t
	}
	if other := clock.Add(-after); offset(other, place) == after {
		return other.In(place)
	}
	return t
}

// offset returns how far the clocks in place are ahead of UTC.
func offset(t time.Time, place *time.Location) time.Duration {
	_, seconds := t.In(place).Zone()
	return time.Duration(seconds) * time.Second
}

// weekly is a window that begins on some days of each week. It is immutable.
type weekly struct {
	days         [7]bool // by time.Weekday
	hour, minute int
	zone         *time.Location
	length       time.Duration
}

// dayWords are the words of every, by time.Weekday, and the one for all.
var dayWords = map[string]time.Weekday{
	"sun": time.Sunday, "mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday,
	"thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday,
}

// readWeekly reads days, the time of day and its zone.
func (s *MaintenanceSpec) readWeekly(r *conf.Report) *weekly {
	w := &weekly{length: s.length(weeklyMost, r)}
	for _, day := range s.Every.Values() {
		if n, one := dayWords[day]; one {
			w.days[n] = true
		} else {
			w.days = [7]bool{true, true, true, true, true, true, true}
		}
	}
	if s.Every.Empty() {
		r.Fault(s.Every.Pos, "write every: day", "every names no day; expected at least one")
	}
	text, zone := s.From.V, s.Zone.V
	if !s.Zone.Set() {
		text, zone, _ = strings.Cut(text, " ")
	}
	clock, err := time.Parse(clockLayout, text)
	var ok bool
	if w.zone, ok = readZone(zone); err != nil || !ok {
		w.zone = time.UTC
		why := cmp.Or(whyNoTime(s.From.V, s.Zone.V, clockLayout), fmt.Sprintf("expected the time of day with its zone, like %q, or zone beside it", "02:00 Europe/Riga"))
		r.Fault(s.From.Pos, "", "from is %q; %s", s.From.V, why)
	}
	w.hour, w.minute = clock.Hour(), clock.Minute()
	return w
}

// begins returns when the window begins on the day that is that many days after
// the one that clocks show at now; ok is false if it does not on that day.
func (w *weekly) begins(now int64, days int) (at int64, ok bool) {
	year, month, day := time.Unix(now, 0).In(w.zone).Date()
	clock := time.Date(year, month, day+days, w.hour, w.minute, 0, 0, time.UTC)
	return onClock(clock, w.zone).Unix(), w.days[clock.Weekday()]
}

// openAt reports whether the window is open, and when it is over. A window that
// is a day long may have begun two days ago where the clocks have leapt since.
func (w *weekly) openAt(now int64) (until int64, open bool) {
	for days := 0; days >= -2; days-- {
		at, ok := w.begins(now, days)
		if end := at + int64(w.length/time.Second); ok && at <= now && now < end {
			return end, true
		}
	}
	return 0, false
}

// next returns when the window begins next, later than now.
func (w *weekly) next(now int64) int64 {
	for days := 0; days <= 8; days++ {
		if at, ok := w.begins(now, days); ok && at > now {
			return at
		}
	}
	return now
}

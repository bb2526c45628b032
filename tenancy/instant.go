package tenancy

import (
	"strings"
	"time"

	"gatehouse/internal/conf"
)

// The forms of a date and time that stands beside its zone.
const (
	minuteLayout = "2006-01-02T15:04"
	secondLayout = "2006-01-02T15:04:05"
)

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
	for _, layout := range []string{minuteLayout, secondLayout, time.DateOnly} {
		if clock, err := time.Parse(layout, text); err == nil {
			t := onClock(clock, place)
			return t, t.Unix() > 0
		}
	}
	return time.Time{}, false
}

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
	clock, err := time.Parse("15:04", text)
	var ok bool
	if w.zone, ok = readZone(zone); err != nil || !ok {
		w.zone = time.UTC
		r.Fault(s.From.Pos, "", "from is %q; expected the time of day with its zone, like %q, or zone beside it", s.From.V, "02:00 Europe/Riga")
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

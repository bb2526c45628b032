package tenancy

import (
	"testing"
	"time"

	"gatehouse/internal/conf"
)

// TestReadInstant: the clocks in Riga leap from 03:00 to 04:00 on 29 March 2026
// and from 04:00 back to 03:00 on 25 October; those on Lord Howe Island by half
// an hour.
func TestReadInstant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, zone, want string }{
		{"2026-12-06T22:00:00+02:00", "", "2026-12-06T20:00:00Z"},
		{"2026-12-06T22:00 Europe/Riga", "", "2026-12-06T20:00:00Z"},
		{"2026-12-06T22:00:30", "Europe/Riga", "2026-12-06T20:00:30Z"},
		{"2026-12-06", "Europe/Riga", "2026-12-05T22:00:00Z"},
		{"2026-12-06T22:00 UTC", "", "2026-12-06T22:00:00Z"},
		{"2026-03-29T02:59 Europe/Riga", "", "2026-03-29T00:59:00Z"},
		{"2026-03-29T03:00 Europe/Riga", "", "2026-03-29T01:00:00Z"}, // clocks show 04:00
		{"2026-03-29T03:30 Europe/Riga", "", "2026-03-29T01:30:00Z"}, // leapt over: 04:30
		{"2026-03-29T04:00 Europe/Riga", "", "2026-03-29T01:00:00Z"},
		{"2026-10-25T02:59 Europe/Riga", "", "2026-10-24T23:59:00Z"},
		{"2026-10-25T03:30 Europe/Riga", "", "2026-10-25T00:30:00Z"}, // the first of two
		{"2026-10-25T04:00 Europe/Riga", "", "2026-10-25T02:00:00Z"},
		{"2026-10-04T02:15 Australia/Lord_Howe", "", "2026-10-03T15:45:00Z"},
		{"2026-03-08T02:30 America/New_York", "", "2026-03-08T07:30:00Z"},
		{"2026-11-01T01:30 America/New_York", "", "2026-11-01T05:30:00Z"},
		{"2026-12-06T22:00", "", ""},
		{"2026-12-06", "", ""},
		{"2026-12-06T22:00 Europe/Riga", "Europe/Riga", ""},
		{"2026-12-06T22:00 Local", "", ""},
		{"2026-12-06T25:00 Europe/Riga", "", ""},
	} {
		got := ""
		if at, ok := readInstant(c.text, c.zone); ok {
			got = stamp(at)
		}
		if got != c.want {
			t.Errorf("%q in %q is %q, want %q", c.text, c.zone, got, c.want)
		}
	}
}

// BenchmarkWeekly is what a weekly window costs each request.
func BenchmarkWeekly(b *testing.B) {
	riga, err := time.LoadLocation("Europe/Riga")
	if err != nil {
		b.Fatal(err)
	}
	w := weekly{days: [7]bool{true}, hour: 2, zone: riga, length: time.Hour}
	b.ReportAllocs()
	for b.Loop() {
		w.openAt(1_800_000_000)
	}
}

// TestWeekly: a window begins by the clocks of its zone and takes as long as it
// says, also where they change within it.
func TestWeekly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		days, from string
		length     time.Duration
		now        string
		until      string // "" for closed
		next       string
	}{
		{"sun", "02:00 Europe/Riga", 2 * time.Hour, "2026-06-06T22:59:59Z", "", "2026-06-06T23:00:00Z"},
		{"sun", "02:00 Europe/Riga", 2 * time.Hour, "2026-06-06T23:00:00Z", "2026-06-07T01:00:00Z", "2026-06-13T23:00:00Z"},
		{"sun", "02:00 Europe/Riga", 2 * time.Hour, "2026-06-07T01:00:00Z", "", "2026-06-13T23:00:00Z"},
		// From 02:00 until 05:00 of the clocks: 03:00 to 04:00 does not happen.
		{"sun", "02:00 Europe/Riga", 2 * time.Hour, "2026-03-29T01:59:59Z", "2026-03-29T02:00:00Z", "2026-04-04T23:00:00Z"},
		// Until 03:00 of the clocks for the second time.
		{"sun", "02:00 Europe/Riga", 2 * time.Hour, "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z", "2026-11-01T00:00:00Z"},
		// Over midnight, and over the end of the year.
		{"thu", "23:00 Europe/Riga", 3 * time.Hour, "2026-12-31T23:30:00Z", "2027-01-01T00:00:00Z", "2027-01-07T21:00:00Z"},
		// All of every day, also the day of 23 hours and that of 25.
		{"day", "00:00 Europe/Riga", 24 * time.Hour, "2026-03-29T21:30:00Z", "2026-03-30T21:00:00Z", "2026-03-30T21:00:00Z"},
		{"day", "00:30 Europe/Riga", 24 * time.Hour, "2026-03-29T21:29:59Z", "2026-03-29T22:30:00Z", "2026-03-29T21:30:00Z"},
		{"sat", "23:30 Europe/Riga", 24 * time.Hour, "2026-03-29T21:15:00Z", "2026-03-29T21:30:00Z", "2026-04-04T20:30:00Z"},
		{"sun", "02:30 UTC", time.Minute, "2026-06-07T02:30:59Z", "2026-06-07T02:31:00Z", "2026-06-14T02:30:00Z"},
	} {
		at := conf.Pos{File: "t.yaml", Line: 1, Col: 1}
		spec := MaintenanceSpec{
			From:  conf.At[string]{V: c.from, Pos: at},
			For:   conf.At[conf.Duration]{V: conf.Duration(c.length), Pos: at},
			Every: conf.OneOrMany[string]{Items: []conf.At[string]{{V: c.days, Pos: at}}, Pos: at},
		}
		var report conf.Report
		w := spec.window(&report)
		if report.Faults() > 0 {
			t.Fatalf("%v: %v", c, report.Findings())
		}
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if until, open := w.openAt(now.Unix()); open {
			got = stamp(time.Unix(until, 0))
		}
		next, _ := w.opens(now.Unix())
		if got != c.until || stamp(time.Unix(next, 0)) != c.next {
			t.Errorf("%s %s for %v at %s: closed until %q, next %s; want %q, %s",
				c.days, c.from, c.length, c.now, got, stamp(time.Unix(next, 0)), c.until, c.next)
		}
	}
}

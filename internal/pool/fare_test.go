package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

var byRate = Rules{Ejection: Ejection{First: 10 * time.Second, Longest: time.Minute, Share: 50, Errors: 50, Of: 10, Within: 10 * time.Second}}

// replies has a seat answer with these statuses; 0 is no answer.
func replies(p *Pool, seat int, statuses ...int) {
	for _, status := range statuses {
		r := Round{pool: p, member: p.seats()[seat].Member}
		r.member.inFlight.Add(1)
		if status == 0 {
			r.Failed(time.Now(), "connection refused")
		} else {
			r.Answered(status, time.Now())
		}
		r.Release()
	}
}

// A backend is ejected when the share of its errors is too high, of enough
// requests within the time.
func TestEjectionByRate(t *testing.T) {
	for name, test := range map[string]struct {
		statuses []int
		pause    time.Duration // before the last
		want     string
	}{
		"half":             {[]int{200, 500, 200, 404, 501, 200, 200, 503, 0, 504}, 0, "ejected up"},
		"less than half":   {[]int{200, 500, 200, 200, 500, 200, 200, 500, 500, 400}, 0, "up up"},
		"too few":          {[]int{500, 500, 500, 500, 500, 500, 500, 500, 500}, 0, "up up"},
		"over a long time": {[]int{500, 500, 500, 500, 500, 500, 500, 500, 500, 500}, 11 * time.Second, "up up"},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := poolOf(t, byRate, "", "")
			last := len(test.statuses) - 1
			replies(p, 0, test.statuses[:last]...)
			time.Sleep(test.pause)
			replies(p, 0, test.statuses[last])
			if got := standings(p); got != test.want {
				t.Errorf("%s: %s, want %s", name, got, test.want)
			}
		})
	}
}

// What was ejected for its errors is tried, comes back by an answer that is none,
// and begins anew.
func TestEjectionByRateIsHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(t, byRate, "", "")
		replies(p, 0, 500, 500, 500, 500, 500, 500, 500, 500, 500, 500)
		if got, want := p.Status(time.Now())[0].Why, "10 of 10 requests failed within 10s, the last: answered 500"; got != want {
			t.Errorf("why %q, want %q", got, want)
		}
		for _, want := range []string{"ejected up", "up up"} {
			for time.Sleep(0); once(p, 0) != 0; {
				time.Sleep(time.Second)
			}
			probe, seat := begin(p)
			if seat != 0 || !probe.probing {
				t.Fatalf("the probe came to %d", seat)
			}
			probe.Answered(map[string]int{"ejected up": 500, "up up": 200}[want], time.Now())
			probe.Release()
			if got := standings(p); got != want {
				t.Errorf("after the probe: %s, want %s", got, want)
			}
		}
		replies(p, 0, 500, 500, 500, 500, 500, 500, 500, 500) // nine with the probe
		if got := standings(p); got != "up up" {
			t.Errorf("what was counted before it was ejected counts still: %s", got)
		}
	})
}

// Errors do not eject where only failures do, and one success does not end a row
// of nothing.
func TestErrorsWithoutRate(t *testing.T) {
	p := poolOf(t, ejecting, "", "")
	replies(p, 0, 503, 503, 500, 503, 503)
	if got := standings(p); got != "up up" {
		t.Errorf("an answer of 500 is a failure: %s", got)
	}
	replies(p, 0, 503)
	if got := standings(p); got != "ejected up" {
		t.Errorf("three of 503 in a row: %s", got)
	}
}

// The last backend stays unless the table says otherwise; then nothing goes to it
// but what tries it.
func TestEjectionOfTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(t, ejecting, "")
		fail(p, 5, 0)
		if got := standings(p); got != "up" {
			t.Fatalf("the last one is %s", got)
		}
		rules := ejecting
		rules.Ejection.Last = true
		p = poolOf(t, rules, "", "")
		fail(p, 3, 0, 1)
		if got := standings(p); got != "ejected ejected" {
			t.Fatalf("with last: %s", got)
		}
		if got := seats(p, 3); got != "[-1 -1 -1]" {
			t.Errorf("requests went to %s", got)
		}
		time.Sleep(10 * time.Second)
		probe, seat := begin(p)
		other, second := begin(p)
		if seat != 0 || second != 1 || once(p, 0) != -1 {
			t.Errorf("after a while %d and %d are tried, want 0 and 1 and nothing else", seat, second)
		}
		probe.Succeeded(time.Now())
		probe.Release()
		other.Release()
		if got := seats(p, 1); got != "[1]" {
			t.Errorf("the other one is not tried again: %s", got)
		}
	})
}

// A backend that is drained while it is tried can be tried afterwards.
func TestDrainedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(t, ejecting, "", "")
		fail(p, 3, 0)
		time.Sleep(10 * time.Second)
		probe, _ := begin(p)
		now := time.Now()
		p.Drain(Drains{p.seats()[0].declared.address: {Since: now}}, now)
		probe.Failed(now, "test")
		probe.Release()
		p.Drain(nil, now)
		if got := once(p, 0); got != 0 {
			t.Errorf("came to %d, want to the one that is to be tried", got)
		}
	})
}

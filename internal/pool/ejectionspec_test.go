package pool

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/conf"
)

var ejecting = Rules{Ejection: Ejection{Failures: 3, First: 10 * time.Second, Longest: 35 * time.Second, Share: 50}}

// fail has requests fail wherever they land on one of seats, until each of them
// was failed n times.
func fail(p *Pool, n int, seats ...int) {
	for _, seat := range seats {
		for range n {
			round := Round{pool: p, member: p.seats()[seat].Member}
			round.member.inFlight.Add(1)
			round.Failed(time.Now(), "connection refused")
			round.Release()
		}
	}
}

func standings(p *Pool) string {
	var words []string
	for _, b := range p.Status(time.Now()) {
		words = append(words, string(b.Standing))
	}
	return strings.Join(words, " ")
}

func TestEjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := New("t /", NewPlan(backends(t, "", ""), ejecting), Options{Notify: func(c Transition) {
			told = append(told, fmt.Sprintf("%s %s", c.Backend.Address(), c.To))
		}})
		fail(p, 2, 0)
		once(p, 0)
		if got := standings(p); got != "up up" {
			t.Fatalf("after two failures: %s", got)
		}
		fail(p, 1, 0)
		if got := standings(p); got != "ejected up" {
			t.Fatalf("after three failures: %s", got)
		}
		status := p.Status(time.Now())[0]
		if want := "3 failures in a row, the last: connection refused"; status.Why != want || !status.Since.Equal(time.Now()) {
			t.Errorf("why %q since %s, want %q since now", status.Why, status.Since, want)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		if got := seats(p, 4); got != "[1 1 1 1]" {
			t.Errorf("while it is ejected: %s", got)
		}
		time.Sleep(time.Nanosecond)
		probe := p.Round(0, true)
		if got := p.seatOf(probe.Next(time.Now())); got != 0 {
			t.Fatalf("the probe went to %d", got)
		}
		if got := seats(p, 3); got != "[1 1 1]" {
			t.Errorf("beside the probe: %s", got)
		}
		probe.Succeeded(time.Now())
		probe.Release()
		if got := standings(p); got != "up up" {
			t.Errorf("after the probe: %s", got)
		}
		if want := "[10.0.0.0:80 ejected 10.0.0.0:80 up]"; fmt.Sprint(told) != want {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

// A success in between begins the count anew.
func TestFailuresAreInARow(t *testing.T) {
	p := poolOf(t, ejecting, "", "")
	for range 5 {
		fail(p, 2, 0)
		round := Round{pool: p, member: p.seats()[0].Member}
		round.Succeeded(time.Now())
	}
	if got := standings(p); got != "up up" {
		t.Error(got)
	}
}

// Each failed probe doubles the time, to a bound; a long stay begins anew.
func TestEjectionGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(t, ejecting, "", "")
		fail(p, 3, 0)
		for _, want := range []time.Duration{10, 20, 35, 35} {
			began := time.Now()
			for once(p, 0) != 0 {
				time.Sleep(time.Second)
			}
			if got := time.Since(began); got != want*time.Second {
				t.Errorf("ejected for %s, want %ds", got, want)
			}
			probe := p.Round(0, true)
			probe.Next(time.Now())
			probe.Failed(time.Now(), "connection refused")
			probe.Release()
		}
		time.Sleep(35 * time.Second)
		probe := p.Round(0, true)
		probe.Next(time.Now())
		probe.Succeeded(time.Now())
		probe.Release()
		time.Sleep(36 * time.Second)
		fail(p, 3, 0)
		if got := p.seats()[0].condition.length; got != 10*time.Second {
			t.Errorf("after a good while: ejected for %s, want 10s", got)
		}
	})
}

// A request that cannot be repeated is not what a backend is tried with, unless
// no other comes.
func TestProbeIsRepeatable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := poolOf(t, ejecting, "", "")
		fail(p, 3, 0)
		pick := func() int {
			round := p.Round(0, false)
			defer round.Release()
			return p.seatOf(round.Next(time.Now()))
		}
		time.Sleep(10 * time.Second)
		if got := pick(); got != 1 {
			t.Errorf("a POST went to %d as a probe", got)
		}
		time.Sleep(anyProbeAfter)
		if got := pick(); got != 0 {
			t.Errorf("a POST went to %d, want the probe", got)
		}
	})
}

func TestEjectionBudget(t *testing.T) {
	for _, test := range []struct {
		texts string
		fail  []int
		want  string
	}{
		{"a", []int{0}, "up"},
		{"a,a", []int{0, 1}, "ejected up"},
		{"a,a,a", []int{0, 1, 2}, "ejected up up"},
		{"a,a,a,a", []int{3, 2, 1, 0}, "up up ejected ejected"},
		{"a,drain", []int{0}, "up drain"},
		{"a,a,drain,down", []int{0, 1}, "ejected up drain out"},
		{"a,backup", []int{0}, "ejected up"},
	} {
		p := poolOf(t, ejecting, strings.Split(test.texts, ",")...)
		fail(p, 3, test.fail...)
		if got := standings(p); got != test.want {
			t.Errorf("%s: %s, want %s", test.texts, got, test.want)
		}
	}
}

// Where all others are gone, ejected backends are better than none.
func TestEjectedAreTheLastResort(t *testing.T) {
	list := backends(t, "", "")
	p := New("t /", NewPlan(list, ejecting), Options{})
	fail(p, 3, 0)
	round := p.Round(0, true)
	first, second := round.Next(time.Now()), round.Next(time.Now())
	if p.seatOf(first) != 1 || p.seatOf(second) != 0 {
		t.Errorf("went to %d and %d, want 1 and 0", p.seatOf(first), p.seatOf(second))
	}
	round.Release()
}

// What is known of a backend outlives the pool: another one adopts it.
func TestAdopt(t *testing.T) {
	old := poolOf(t, ejecting, "", "", "")
	fail(old, 3, 0)
	next := New("t /", NewPlan(backends(t, "weight 2", ""), ejecting), Options{Adopt: old.Orphan})
	if got := standings(next); got != "ejected up" {
		t.Errorf("adopted: %s", got)
	}
	if old.Orphan(next.seats()[0].declared.Key()) != nil {
		t.Error("an adopted member is an orphan still")
	}
	// A request of the former table that ends now is seen by the new pool.
	next.seats()[0].readmit(time.Now())
	fail(old, 3, 1)
	if got := standings(next); got != "up ejected" {
		t.Errorf("after the former pool's requests: %s", got)
	}
	if got := seats(next, 2); got != "[0 0]" {
		t.Errorf("picked %s", got)
	}
	off := New("t /", NewPlan(backends(t, "", ""), Rules{}), Options{Adopt: next.Orphan})
	if got := standings(off); got != "up up" {
		t.Errorf("without ejection: %s", got)
	}
}

func TestEjectionSpec(t *testing.T) {
	type file struct {
		Ejection *EjectionSpec `conf:"ejection" doc:"d"`
	}
	for text, want := range map[string]string{
		"{}":                                 builtinEjection.String(),
		"ejection: off":                      "ejection off",
		"ejection: 3":                        "ejected after 3 failures in a row for 10s, at most for 5m, and 50% of the pool",
		"ejection: {first: 10m}":             "ejected after 5 failures in a row for 10m, at most for 10m, and 50% of the pool",
		"ejection: {share: 25%}":             "ejected after 5 failures in a row for 10s, at most for 5m, and 25% of the pool",
		"ejection: 0":                        `f:1:11: failures is 0; expected 1 to 1000, or off`,
		"ejection: {first: 10ms}":            `f:1:19: first is "10ms"; expected 1s to 1h`,
		"ejection: {longest: 48h}":           `f:1:21: longest is "2d"; expected 1s to 1d`,
		"ejection: {first: 5m, longest: 1m}": `f:1:32: longest is "1m", less than first, which is "5m"; expected that or more`,
		"ejection: {share: 0%}":              `f:1:19: share is "0%"; expected 1% to 100%`,
		"ejection: {share: 101%}":            `f:1:19: "101%" is too much; a percentage is at most 100%`,
		"ejection: {failures: seven}":        `f:1:22: "seven" is not a count; write it like "200"`,
		"ejection: {errors: 50%}":            "ejected after 5 failures in a row or at 50% errors of at least 20 requests within 10s for 10s, at most for 5m, and 50% of the pool",
		"ejection: {failures: off, errors: 5%, of: 200, within: 1m, last: true}": "ejected at 5% errors of at least 200 requests within 1m for 10s, at most for 5m, and all of the pool",
		"ejection: {failures: off, errors: off, last: true}":                     "ejection off",
		"ejection: {errors: 0%}":   `f:1:20: errors is "0%"; expected 1% to 100%, or off`,
		"ejection: {of: 0}":        `f:1:16: of is 0; expected 1 to 1000000`,
		"ejection: {within: 10ms}": `f:1:20: within is "10ms"; expected 1s to 1h`,
	} {
		var f file
		r := new(conf.Report)
		conf.Decode("f", []byte(text), &f, r)
		got := f.Ejection.Compile().String()
		if list := r.Findings(); len(list) > 0 {
			got = list[0].Pos.String() + ": " + list[0].Text
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// A request fails while the pool of the next table is made and has adopted its
// backend: what was tried can be tried again.
func TestFailsWhileAdopted(t *testing.T) {
	for name, fare := range map[string]func(probe *Round, now time.Time){
		"failed": func(probe *Round, now time.Time) { probe.Failed(now, "connection refused") },
		"erred":  func(probe *Round, now time.Time) { probe.Answered(500, now) },
	} {
		synctest.Test(t, func(t *testing.T) {
			rules := byRate
			rules.Ejection.Failures = 3
			former := poolOf(t, rules, "", "", "")
			fail(former, 3, 0)
			time.Sleep(rules.Ejection.First)
			probe, seat := begin(former)
			if seat != 0 || !probe.probing {
				t.Fatalf("the probe came to %d", seat)
			}
			keys := 0
			rules.SlowStart = SlowStart(time.Second)
			next := New("t /", NewPlan(former.plan.Backends, rules), Options{Adopt: func(key string) *Member {
				if keys++; keys == 2 { // the first is adopted
					fare(probe, time.Now())
					probe.Release()
				}
				return former.Orphan(key)
			}})
			if again, seat := begin(next); seat != 0 || !again.probing {
				t.Errorf("%s: the next request came to %d, want it to try 0; %s", name, seat, standings(next))
			}
		})
	}
}

// Requests that fail at the same moment, each finding its backend in the rotation,
// are one ejection; a probe that fails is one more.
func TestEjectionByMany(t *testing.T) {
	var told []string
	p := New("t /", NewPlan(backends(t, "", ""), ejecting), Options{Notify: func(c Transition) {
		told = append(told, string(c.To))
	}})
	m, now := p.seats()[0].Member, time.Now()
	for range 5 {
		p.eject(m, now, "test", false)
	}
	if got, want := m.condition.length, ejecting.Ejection.First; got != want || len(told) != 1 {
		t.Errorf("ejected for %v, told %v; want %v, and told once", got, told, want)
	}
	p.eject(m, now, "test", true)
	if got, want := m.condition.length, 2*ejecting.Ejection.First; got != want {
		t.Errorf("after a probe that failed: ejected for %v, want %v", got, want)
	}
}

// Of two backends that fail at the same moment one stays.
func TestEjectionOfTwoAtOnce(t *testing.T) {
	p := poolOf(t, ejecting, "", "", "")
	unwell := &p.seats()[2].condition
	unwell.down = true
	unwell.mu.Lock() // stops whoever looks for room after it has seen the first two
	var running sync.WaitGroup
	for seat := range 2 {
		running.Go(func() { fail(p, 3, seat) })
	}
	time.Sleep(20 * time.Millisecond) // most likely both have
	unwell.mu.Unlock()
	running.Wait()
	if got := standings(p); got != "ejected up down" && got != "up ejected down" {
		t.Errorf("%s, want one of the first two up", got)
	}
}

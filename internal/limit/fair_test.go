package limit

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd asks for slots as fast as it gets them, from many sides, and counts what
// it gets.
type crowd struct {
	name    string
	weight  int
	askers  int
	got     int
	longest time.Duration
}

// share lets crowds ask for slots for a while, each of which is held for a
// millisecond.
func share(f *Fair, crowds []*crowd, span time.Duration) {
	var all sync.WaitGroup
	var mu sync.Mutex
	until := time.Now().Add(span)
	for _, c := range crowds {
		for range c.askers {
			all.Go(func() {
				for time.Now().Before(until) {
					began := time.Now()
					if turn := f.Enter(c.name, c.weight); turn != nil && !turn.Wait(time.Minute) {
						<-time.After(time.Millisecond)
						continue
					}
					mu.Lock()
					if time.Now().Before(until) {
						c.got++
					}
					c.longest = max(c.longest, time.Since(began))
					mu.Unlock()
					<-time.After(time.Millisecond)
					f.Leave()
				}
			})
		}
	}
	all.Wait()
}

func TestFairShares(t *testing.T) {
	for name, crowds := range map[string][]*crowd{
		"two alike, one of them louder": {{name: "a", weight: 1, askers: 200}, {name: "b", weight: 1, askers: 20}},
		"one and three":                 {{name: "a", weight: 1, askers: 50}, {name: "b", weight: 3, askers: 50}},
		"three of all sizes":            {{name: "a", weight: 1, askers: 100}, {name: "b", weight: 2, askers: 30}, {name: "c", weight: 7, askers: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := NewFair(4, 10_000)
				share(f, crowds, 2*time.Second)
				total, weights := 0, 0
				for _, c := range crowds {
					total += c.got
					weights += c.weight
				}
				if total < 7900 {
					t.Errorf("%d turns were given in 2 s, want nearly 8000: slots stay free", total)
				}
				for _, c := range crowds {
					want := float64(total) * float64(c.weight) / float64(weights)
					if off := math.Abs(float64(c.got)-want) / want; off > 0.05 {
						t.Errorf("%s got %d turns of %d, want %.0f within 5 %%", c.name, c.got, total, want)
					}
				}
			})
		})
	}
}

// TestFairIsQuickForTheModest: who asks now and then is next, however many of
// others wait.
func TestFairIsQuickForTheModest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFair(2, 10_000)
		crowds := []*crowd{{name: "modest", weight: 1, askers: 1}}
		for i := range 10 {
			crowds = append(crowds, &crowd{name: fmt.Sprint("loud", i), weight: 1, askers: 100})
		}
		share(f, crowds, time.Second)
		// It asks anew a millisecond after each turn: a turn of each of the others
		// may lie in between.
		if got := crowds[0].longest; got > 8*time.Millisecond {
			t.Errorf("the modest one waited for %v", got)
		}
		if crowds[1].longest < 100*time.Millisecond {
			t.Errorf("the loud ones wait for %v at most: nothing is scarce", crowds[1].longest)
		}
	})
}

// TestFairSheds: when too many wait, it is the loud one that is turned away.
func TestFairSheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFair(1, 10)
		f.Enter("loud", 1)
		var loud, modest []*Turn
		for range 10 {
			loud = append(loud, f.Enter("loud", 1))
		}
		for range 4 {
			modest = append(modest, f.Enter("modest", 1))
		}
		if n := f.Waiting(); n != 10 {
			t.Errorf("%d wait, want 10", n)
		}
		for i, turn := range loud[6:] {
			if turn.Wait(time.Hour) {
				t.Errorf("turn %d of the loud one was given", i+6)
			}
		}
		for range 10 {
			f.Leave()
		}
		for i, turn := range append(loud[:6:6], modest...) {
			if !turn.Wait(time.Hour) {
				t.Errorf("turn %d was not given", i)
			}
		}
		heavy := NewFair(1, 3)
		heavy.Enter("light", 1)
		turns := []*Turn{heavy.Enter("light", 1), heavy.Enter("heavy", 3), heavy.Enter("heavy", 3), heavy.Enter("heavy", 3)}
		heavy.Enter("light", 1)
		if turns[0].Wait(time.Second) || turns[1].Wait(0) {
			t.Error("a turn was given that nobody left")
		}
	})
}

func TestFairTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFair(1, 10)
		f.Enter("a", 1)
		began := time.Now()
		if f.Enter("b", 1).Wait(time.Second) || time.Since(began) != time.Second {
			t.Errorf("it waited for %v, want a second and nothing", time.Since(began))
		}
		if n := f.Waiting(); n != 0 {
			t.Errorf("%d wait, want none", n)
		}
		f.Leave()
		if turn := f.Enter("b", 1); turn != nil {
			t.Error("the slot is not free")
		}
		f.Leave()
		if n := len(f.parties); n != 0 {
			t.Errorf("%d parties are remembered when all is free", n)
		}
	})
}

func BenchmarkFair(b *testing.B) {
	f := NewFair(4, 100)
	b.ReportAllocs()
	f.Enter("other", 1)
	for b.Loop() {
		f.Enter("acme", 1)
		f.Leave()
	}
}

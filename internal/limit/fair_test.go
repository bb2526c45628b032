package limit

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd asks for turns as fast as it gets them, from many sides, and counts what
// it gets.
type crowd struct {
	name    string
	weight  int
	askers  int
	cost    time.Duration // of each turn; 0 for a millisecond
	got     time.Duration
	longest time.Duration
}

// share lets crowds ask for turns of a processor for a while. Each takes as long
// as it costs, and the processor does one after the other.
func share(f *Fair, crowds []*crowd, span time.Duration) {
	var all, processor sync.WaitGroup
	var mu sync.Mutex
	until := time.Now().Add(span)
	done := make(chan struct{})
	took := make(chan time.Duration)
	for _, c := range crowds {
		if c.cost == 0 {
			c.cost = time.Millisecond
		}
		for range c.askers {
			all.Go(func() {
				var turn Turn
				for time.Now().Before(until) {
					began := time.Now()
					f.Enter(&turn, c.name, c.weight, c.cost)
					if !<-turn.Given() {
						<-time.After(time.Millisecond)
						continue
					}
					mu.Lock()
					if time.Now().Before(until) {
						c.got += c.cost
					}
					c.longest = max(c.longest, time.Since(began))
					mu.Unlock()
					took <- c.cost
				}
			})
		}
	}
	processor.Go(func() {
		for {
			for given := true; given; {
				if _, given = f.Next(); given {
					<-time.After(<-took)
				}
			}
			select {
			case <-f.Asked():
			case <-done:
				return
			}
		}
	})
	all.Wait()
	close(done)
	processor.Wait()
}

func TestFairShares(t *testing.T) {
	for name, crowds := range map[string][]*crowd{
		"two alike, one of them louder":     {{name: "a", weight: 1, askers: 200}, {name: "b", weight: 1, askers: 20}},
		"one and three":                     {{name: "a", weight: 1, askers: 50}, {name: "b", weight: 3, askers: 50}},
		"three of all sizes":                {{name: "a", weight: 1, askers: 100}, {name: "b", weight: 2, askers: 30}, {name: "c", weight: 7, askers: 60}},
		"large turns and small ones":        {{name: "a", weight: 1, askers: 40, cost: 10 * time.Millisecond}, {name: "b", weight: 1, askers: 40}},
		"large turns of one that has three": {{name: "a", weight: 3, askers: 40, cost: 5 * time.Millisecond}, {name: "b", weight: 1, askers: 40}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				share(NewFair(time.Hour), crowds, 4*time.Second)
				total, weights := time.Duration(0), 0
				for _, c := range crowds {
					total += c.got
					weights += c.weight
				}
				if total < 3900*time.Millisecond {
					t.Errorf("turns of %v were given in 4 s: the processor rests", total)
				}
				for _, c := range crowds {
					want := float64(total) * float64(c.weight) / float64(weights)
					if off := math.Abs(float64(c.got)-want) / want; off > 0.05 {
						t.Errorf("%s got %v of %v, want %v within 5 %%", c.name, c.got, total, time.Duration(want))
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
		crowds := []*crowd{{name: "modest", weight: 1, askers: 1}}
		for i := range 10 {
			crowds = append(crowds, &crowd{name: fmt.Sprint("loud", i), weight: 1, askers: 100})
		}
		share(NewFair(time.Hour), crowds, time.Second)
		// It asks anew after each turn: a turn of each of the others may lie in
		// between, two of those that began when its own did.
		if got := crowds[0].longest; got > 22*time.Millisecond {
			t.Errorf("the modest one waited for %v", got)
		}
		if crowds[1].longest < 100*time.Millisecond {
			t.Errorf("the loud ones wait for %v at most: nothing is scarce", crowds[1].longest)
		}
	})
}

// enter returns a turn that waits.
func enter(f *Fair, name string, weight int) *Turn {
	t := new(Turn)
	f.Enter(t, name, weight, time.Millisecond)
	return t
}

// giveOne gives a turn, and reports whether somebody waited.
func giveOne(f *Fair) (given bool) {
	_, given = f.Next()
	return given
}

// outcome returns what became of a turn: "waits", "given" or "turned away".
func outcome(t *Turn) string {
	select {
	case given := <-t.Given():
		if given {
			return "given"
		}
		return "turned away"
	default:
		return "waits"
	}
}

// TestFairSheds: when too many wait, it is the loud one that is turned away.
func TestFairSheds(t *testing.T) {
	f := NewFair(10 * time.Millisecond)
	var loud, modest []*Turn
	for range 10 {
		loud = append(loud, enter(f, "loud", 1))
	}
	for range 4 {
		modest = append(modest, enter(f, "modest", 1))
	}
	if n := f.Waiting(); n != 10 {
		t.Errorf("%d wait, want 10", n)
	}
	for i, turn := range loud[6:] {
		if got := outcome(turn); got != "turned away" {
			t.Errorf("turn %d of the loud one is %s", i+6, got)
		}
	}
	for giveOne(f) {
	}
	for i, turn := range append(loud[:6:6], modest...) {
		if got := outcome(turn); got != "given" {
			t.Errorf("turn %d is %s", i, got)
		}
	}
	heavy := NewFair(3 * time.Millisecond)
	turns := []*Turn{enter(heavy, "light", 1), enter(heavy, "heavy", 3), enter(heavy, "heavy", 3), enter(heavy, "light", 1)}
	for i, want := range []string{"waits", "waits", "waits", "turned away"} {
		if got := outcome(turns[i]); got != want {
			t.Errorf("turn %d is %s, want %s", i, got, want)
		}
	}
}

// TestFairShedsByCost: what waits is bounded by its cost, and so is who has the
// most of it.
func TestFairShedsByCost(t *testing.T) {
	f := NewFair(10 * time.Millisecond)
	dear := new(Turn)
	f.Enter(dear, "dear", 1, 6*time.Millisecond)
	var cheap []*Turn
	for range 5 {
		cheap = append(cheap, enter(f, "cheap", 1))
	}
	if got := outcome(dear); got != "turned away" {
		t.Errorf("one that costs more than all of the other's is %s", got)
	}
	for range 5 {
		cheap = append(cheap, enter(f, "cheap", 1))
	}
	enter(f, "late", 1)
	for i, turn := range cheap {
		want := "waits"
		if i == len(cheap)-1 {
			want = "turned away"
		}
		if got := outcome(turn); got != want {
			t.Errorf("turn %d of the cheap ones is %s, want %s", i, got, want)
		}
	}
}

// TestFairWithdraws: a turn that is given up is nobody's, and one that has come
// meanwhile is said to have.
func TestFairWithdraws(t *testing.T) {
	f := NewFair(10 * time.Millisecond)
	first, second := enter(f, "a", 1), enter(f, "a", 1)
	if first.Withdraw() || f.Waiting() != 1 {
		t.Errorf("it had not come, and %d wait, want 1", f.Waiting())
	}
	if !giveOne(f) || !second.Withdraw() {
		t.Error("the other one has not come")
	}
	if giveOne(f) {
		t.Error("a turn was given to nobody")
	}
	f.Enter(first, "b", 1, time.Millisecond)
	if cost, _ := f.Next(); outcome(first) != "given" || cost != time.Millisecond {
		t.Error("a turn cannot be used again")
	}
}

// TestFairSparesWhoGivesUp: turns that were given up cost nothing, whether others
// of the party stand behind them or not.
func TestFairSparesWhoGivesUp(t *testing.T) {
	f := NewFair(time.Second)
	for range 3 {
		gone := []*Turn{enter(f, "a", 1), enter(f, "a", 1)}
		stays := enter(f, "a", 1)
		for range 10 {
			gone = append(gone, enter(f, "a", 1))
		}
		for _, turn := range gone {
			if turn.Withdraw() {
				t.Fatal("a turn has come that nobody gave")
			}
		}
		if giveOne(f); outcome(stays) != "given" {
			t.Fatal("the one that stays has not come")
		}
	}
	var a []*Turn
	for range 8 {
		a = append(a, enter(f, "a", 1))
		enter(f, "b", 1)
	}
	for range 10 {
		giveOne(f)
	}
	got := 0
	for _, turn := range a {
		if outcome(turn) == "given" {
			got++
		}
	}
	if got < 4 {
		t.Errorf("a got %d of 10 turns beside b, whose clients gave nothing up", got)
	}
}

// TestFairForgets: parties that are owed nothing are not remembered for ever.
func TestFairForgets(t *testing.T) {
	f := NewFair(10 * time.Millisecond)
	for i := range 100 * partiesFew {
		enter(f, fmt.Sprint("tenant", i), 1)
		f.Next()
		// Time goes on.
		enter(f, "clock", 1)
		f.Next()
	}
	if n := len(f.parties); n > 2*partiesFew {
		t.Errorf("%d parties are remembered, want %d at most", n, 2*partiesFew)
	}
}

func BenchmarkFair(b *testing.B) {
	f := NewFair(100)
	var turn Turn
	b.ReportAllocs()
	for b.Loop() {
		f.Enter(&turn, "acme", 1, time.Millisecond)
		f.Next()
		<-turn.Given()
	}
}

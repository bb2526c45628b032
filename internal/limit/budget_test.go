package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	const second = int64(time.Second)
	for _, test := range []struct {
		name      string
		allowance Allowance
		done      int // at the time zero
		after     int64
		want      int // that can be taken then
	}{
		{"a share", Allowance{Share: 20}, 100, 0, 20},
		{"a share of little", Allowance{Share: 20}, 4, 0, 0},
		{"a share as long as it is remembered", Allowance{Share: 20}, 100, 9 * second, 20},
		{"a share of what is forgotten", Allowance{Share: 20}, 100, 10 * second, 0},
		{"so many in any case", Allowance{Share: 20, Every: time.Second}, 0, 0, 10},
		{"whichever is more", Allowance{Share: 20, Every: time.Second}, 100, 0, 20},
		{"so many although there is little", Allowance{Share: 20, Every: time.Second}, 30, 0, 10},
		{"all of it", Allowance{Share: 100}, 7, 0, 7},
		{"nothing", Allowance{}, 1000, 0, 0},
	} {
		var b Budget
		for range test.done {
			b.Done(1)
		}
		got := 0
		for b.Take(1+test.after, test.allowance) {
			got++
		}
		if got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
		if beside, most := b.Load(1+test.after, test.allowance); int(beside) != got || int(most) != got {
			t.Errorf("%s: the books say %d of %d, want all of %d", test.name, beside, most, got)
		}
	}
}

// What was taken comes back when it has left the window.
func TestBudgetComesBack(t *testing.T) {
	var b Budget
	a := Allowance{Every: 5 * time.Second}
	for _, step := range []struct {
		at   int64
		want []bool
	}{
		{0, []bool{true, true, false}},
		{9, []bool{false}},
		{10, []bool{true, true, false}},
		{60, []bool{true, true, false}},
		{59, []bool{false}}, // another caller's clock
	} {
		for i, want := range step.want {
			if got := b.Take(step.at*int64(time.Second)+1, a); got != want {
				t.Errorf("at %d s, try %d: %t, want %t", step.at, i, got, want)
			}
		}
	}
}

// However requests and retries come, no window holds more than the allowance of
// what the window and the slot before it hold.
func TestBudgetBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var b Budget
	a := Allowance{Share: 30}
	var done, taken []int64
	now := int64(1)
	for range 20_000 {
		now += random.Int64N(int64(20 * time.Millisecond))
		if random.IntN(3) > 0 {
			b.Done(now)
			done = append(done, now)
		}
		if b.Take(now, a) {
			taken = append(taken, now)
		}
	}
	within := func(times []int64, from, to int64) (n int64) {
		for _, at := range times {
			if at > from && at <= to {
				n++
			}
		}
		return n
	}
	for end := int64(BudgetWindow); end < now; end += budgetSlot {
		of := within(done, end-int64(BudgetWindow)-budgetSlot, end)
		if got := within(taken, end-int64(BudgetWindow), end); got > of*30/100+1 {
			t.Fatalf("%d taken in the ten seconds to %v, with %d done", got, time.Duration(end), of)
		}
	}
	if len(taken) < len(done)/4 {
		t.Errorf("%d taken beside %d, want about 30%%", len(taken), len(done))
	}
}

func TestBudgetConcurrently(t *testing.T) {
	var b Budget
	var taken atomic.Int64
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			for i := range int64(10_000) {
				b.Done(i * int64(time.Millisecond/10))
				if i%2 == 0 && b.Take(i*int64(time.Millisecond/10), Allowance{Share: 10}) {
					taken.Add(1)
				}
			}
		})
	}
	running.Wait()
	// One second has passed: all of it is remembered.
	beside, most := b.Load(int64(time.Second), Allowance{Share: 10})
	if most != 8000 || beside != taken.Load() || beside > most {
		t.Errorf("%d of %d are taken by the books, %d in truth; want at most 8000 and no difference", beside, most, taken.Load())
	}
}

func BenchmarkBudgetDone(b *testing.B) {
	var budget Budget
	b.ReportAllocs()
	for i := range int64(b.N) {
		budget.Done(i * int64(time.Microsecond))
	}
}

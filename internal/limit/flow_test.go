package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestFlowHolds: many that send at a time get the rate together, whatever the
// size of their pieces.
func TestFlowHolds(t *testing.T) {
	const seconds, senders = 10, 8
	for _, rate := range []int64{1 << 10, 100 << 10, 10 << 20} {
		var f Flow
		f.Set(rate)
		random := rand.New(rand.NewPCG(11, uint64(rate)))
		now, sent := int64(1), int64(0)
		var marks [senders]int64
		for now < int64(seconds*time.Second) {
			wait := time.Hour
			for i := range marks {
				d := f.Wait(now, marks[i])
				if d == 0 {
					n := 1 + random.IntN(int(min(rate/64, 64<<10)))
					marks[i] = f.Pass(now, n)
					sent += int64(n)
					d = time.Microsecond
				}
				wait = min(wait, d)
			}
			now += int64(wait)
		}
		want := seconds * rate
		if got := float64(sent) / float64(want); got < 0.95 || got > 1.05 {
			t.Errorf("at %d B/s %d bytes passed in %d s, want %d within 5 %%", rate, sent, seconds, want)
		}
	}
}

func TestFlowLetsSmallThingsPass(t *testing.T) {
	var f Flow
	f.Set(1000)
	now := int64(time.Hour)
	if mark := f.Pass(now, 250); f.Wait(now, mark) != 0 {
		t.Error("a quarter of a second's bytes wait although nothing was sent for long")
	}
	mark := f.Pass(now, 500)
	if got, want := f.Wait(now, mark), 500*time.Millisecond; got < want || got > want+time.Microsecond {
		t.Errorf("500 bytes more wait for %v, want %v", got, want)
	}
	if used := f.Used(now); used != 1 {
		t.Errorf("%v of the rate is used, want all", used)
	}
	f.Set(10_000)
	if got, want := f.Wait(now, mark), 50*time.Millisecond; got < want || got > want+time.Microsecond {
		t.Errorf("at ten times the rate they wait for %v, want %v", got, want)
	}
	if f.Set(0); f.Wait(now, mark) != 0 || f.Used(now) != 0 {
		t.Error("without a rate something waits, or is used")
	}
	f.Set(10_000)
	now += int64(time.Second)
	if used := f.Used(now); used != 0 || f.Wait(now, mark) != 0 {
		t.Errorf("%v of the rate is used after a second of rest, want nothing", used)
	}
}

// Time that is too short for a byte is not lost.
func TestFlowOfFewBytes(t *testing.T) {
	var f Flow
	f.Set(100)
	f.Pass(1, 1000)
	for now := int64(1); now <= int64(10*time.Second); now += int64(time.Millisecond) {
		f.Wait(now, 1000)
	}
	if wait := f.Wait(int64(10*time.Second), 1000); wait > 20*time.Millisecond {
		t.Errorf("after the time for all of them they wait for %v", wait)
	}
}

func TestFlowFromManySides(t *testing.T) {
	var f Flow
	f.Set(1 << 20)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for now := range int64(10_000) {
				f.Wait(now*1000, f.Pass(now*1000, 100))
				f.Used(now * 1000)
			}
		})
	}
	all.Wait()
	if f.passed != 4_000_000 {
		t.Errorf("%d bytes passed, want 4,000,000", f.passed)
	}
}

package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// model is a bucket as books describe it: it holds up to burst, and what flows
// in is counted in nanoseconds.
type model struct {
	taken, last int64
}

func (m *model) take(now int64, q Quota) (wait time.Duration) {
	m.taken = max(m.taken-(now-m.last), 0)
	m.last = now
	if m.taken > q.window()+int64(lagMax) {
		m.taken = q.window()
	}
	if missing := m.taken + int64(q.Every) - q.window(); missing > 0 {
		return time.Duration(missing)
	}
	m.taken += int64(q.Every)
	return 0
}

func TestRateIsTheModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		q := Quota{Every: time.Duration(1 + random.Int64N(1e9)), Burst: 1 + random.Int64N(50)}
		var rate Rate
		var slow model
		now := random.Int64N(1e12)
		slow.last = now
		for i := range 2000 {
			if random.IntN(100) == 0 {
				q = Quota{Every: time.Duration(1 + random.Int64N(1e9)), Burst: 1 + random.Int64N(50)}
			}
			got, want := rate.Take(now, q), slow.take(now, q)
			if got != want {
				t.Fatalf("step %d: %v waits for %v, want %v", i, q, got, want)
			}
			now += random.Int64N(2 * int64(q.Every))
		}
	}
}

func FuzzRate(f *testing.F) {
	f.Add(int64(1e9), int64(5), []byte{0, 0, 0, 0, 0, 0, 9, 200})
	f.Add(int64(1), int64(1), []byte{1, 0, 255})
	f.Add(int64(1e15), int64(1000), []byte{255, 255})
	f.Fuzz(func(t *testing.T, every, burst int64, gaps []byte) {
		q := Quota{Every: time.Duration(max(every, 1)%1e12 + 1), Burst: max(burst, 0)%1e6 + 1}
		var rate Rate
		var slow model
		now := int64(1)
		for _, gap := range gaps {
			now += int64(gap) * int64(q.Every) / 64
			got, want := rate.Take(now, q), slow.take(now, q)
			if got != want {
				t.Fatalf("%v at %d: waits for %v, want %v", q, now, got, want)
			}
			if used := rate.Used(now, q); used < 0 || used > 1 {
				t.Fatalf("%v of the burst is used", used)
			}
		}
	})
}

func TestRateOfManyAtOnce(t *testing.T) {
	q := Quota{Every: time.Millisecond, Burst: 10}
	var rate Rate
	var got atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for now := int64(1); now < int64(time.Second); now += int64(10 * time.Microsecond) {
				if rate.Take(now, q) == 0 {
					got.Add(1)
				}
			}
		})
	}
	all.Wait()
	// One that is behind with its clock takes nothing that was not there.
	if n := got.Load(); n < 1000 || n > 1010 {
		t.Errorf("%d were taken within a second, want 1000 and the burst of 10", n)
	}
}

// A limit that changes is in force at once, whatever a former one has counted.
func TestRateChanges(t *testing.T) {
	var rate Rate
	slow, fast := Quota{Every: time.Hour, Burst: 100}, Quota{Every: time.Millisecond, Burst: 100}
	for range 100 {
		if wait := rate.Take(1, slow); wait != 0 {
			t.Fatalf("the burst waits for %v", wait)
		}
	}
	if wait := rate.Take(1, slow); wait != time.Hour {
		t.Errorf("one more waits for %v, want an hour", wait)
	}
	if wait := rate.Take(1, fast); wait != time.Millisecond {
		t.Errorf("of the faster limit one more waits for %v, want a millisecond", wait)
	}
	if wait := rate.Take(1+int64(time.Millisecond), fast); wait != 0 {
		t.Errorf("a millisecond later it waits for %v, want what the slow limit has counted forgotten", wait)
	}
}

func BenchmarkRate(b *testing.B) {
	var rate Rate
	q := Quota{Every: time.Microsecond, Burst: 100}
	b.ReportAllocs()
	for now := int64(1); b.Loop(); now += 900 {
		rate.Take(now, q)
	}
}

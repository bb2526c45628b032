package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestCounts(t *testing.T) {
	var counts Counts
	held := make(map[Address]int)
	random := rand.New(rand.NewPCG(7, 8))
	for range 100_000 {
		a := Address(1 + random.IntN(50))
		if held[a] > 0 && random.IntN(2) == 0 {
			counts.Give(a)
			held[a]--
			continue
		}
		got, want := counts.Take(a, 5), held[a] < 5
		if got != want {
			t.Fatalf("client %d holds %d of 5 and is given one more: %v", a, held[a], got)
		}
		if got {
			held[a]++
		}
		if counts.Held(a) != held[a] {
			t.Fatalf("client %d holds %d, want %d", a, counts.Held(a), held[a])
		}
	}
	for a, n := range held {
		for range n {
			counts.Give(a)
		}
	}
	if n := counts.Len(); n > 0 {
		t.Errorf("%d clients that hold nothing are remembered", n)
	}
}

func TestCountsFromManySides(t *testing.T) {
	var counts Counts
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20_000 {
				if counts.Take(1, 2) {
					counts.Give(1)
				}
			}
		})
	}
	all.Wait()
	if n := counts.Held(1); n != 0 {
		t.Errorf("the client holds %d, want none", n)
	}
}

func BenchmarkCounts(b *testing.B) {
	var counts Counts
	b.ReportAllocs()
	for a := Address(1); b.Loop(); a++ {
		counts.Take(a, 10)
		counts.Give(a)
	}
}

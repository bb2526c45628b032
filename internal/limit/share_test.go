package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestShareLeavesSome(t *testing.T) {
	s := NewShare(9000)
	greedy, modest := new(Holder), new(Holder)
	for s.Take(greedy, 1) {
	}
	if n := greedy.Held(); n < 7990 || n > 8010 {
		t.Errorf("one that takes all it can has %d of 9000, want 8 of 9 parts", n)
	}
	for i := range 100 {
		if !s.Take(modest, 1) {
			t.Fatalf("one that asks for little is refused its place %d", i)
		}
	}
	if s.Take(greedy, 1) {
		t.Error("the greedy one gets more although less is left")
	}
	if taken, of := s.Taken(); taken != greedy.Held()+100 || of != 9000 {
		t.Errorf("%d of %d are taken, want %d of 9000", taken, of, greedy.Held()+100)
	}
}

func TestShareByWeight(t *testing.T) {
	s := NewShare(10_000)
	weights := []int{1, 2, 5}
	holders := []*Holder{new(Holder), new(Holder), new(Holder)}
	random := rand.New(rand.NewPCG(13, 14))
	for range 300_000 {
		// Each place is held for as long as any other, and everybody wants more.
		if taken, _ := s.Taken(); taken > 0 {
			at := random.IntN(taken)
			for _, h := range holders {
				if at -= h.Held(); at < 0 {
					s.Give(h)
					break
				}
			}
		}
		for i, h := range holders {
			s.Take(h, weights[i])
		}
	}
	one := float64(holders[0].Held())
	for i, weight := range []float64{1, 2, 5} {
		if got := float64(holders[i].Held()) / one; got < weight*0.95 || got > weight*1.05 {
			t.Errorf("weight %v has %v times what weight 1 has", weight, got)
		}
	}
	if taken, _ := s.Taken(); taken < 9800 {
		t.Errorf("%d of 10,000 are taken although everybody wants more", taken)
	}
	for _, h := range holders {
		for h.Held() > 0 {
			s.Give(h)
		}
	}
	if taken, _ := s.Taken(); taken != 0 {
		t.Errorf("%d are taken in the end", taken)
	}
}

func TestShareFromManySides(t *testing.T) {
	s := NewShare(10)
	holders := []*Holder{new(Holder), new(Holder)}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 20_000 {
				if h := holders[i%2]; s.Take(h, 1) {
					if taken, of := s.Taken(); taken > of+4 {
						t.Errorf("%d of %d are taken", taken, of)
					}
					s.Give(h)
				}
			}
		})
	}
	all.Wait()
	if taken, _ := s.Taken(); taken != 0 || holders[0].Held() != 0 {
		t.Errorf("%d are taken in the end", taken)
	}
}

func BenchmarkShare(b *testing.B) {
	s, h := NewShare(100), new(Holder)
	b.ReportAllocs()
	for b.Loop() {
		s.Take(h, 1)
		s.Give(h)
	}
}

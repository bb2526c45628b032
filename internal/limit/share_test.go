package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func TestShareLeavesSome(t *testing.T) {
	s := NewShare(9000)
	greedy, modest := new(Holder), new(Holder)
	for s.Take(greedy, 1, 1) {
	}
	if n := greedy.Held(); n < 7990 || n > 8010 {
		t.Errorf("one that takes all it can has %d of 9000, want 8 of 9 parts", n)
	}
	for i := range 100 {
		if !s.Take(modest, 1, 1) {
			t.Fatalf("one that asks for little is refused its place %d", i)
		}
	}
	if s.Take(greedy, 1, 1) {
		t.Error("the greedy one gets more although less is left")
	}
	if part := s.Part(greedy, 1); part < greedy.Held()-100 || part > greedy.Held() {
		t.Errorf("its part is %d, and it has %d", part, greedy.Held())
	}
	if taken, of := s.Taken(); taken != greedy.Held()+100 || of != 9000 {
		t.Errorf("%d of %d are taken, want %d of 9000", taken, of, greedy.Held()+100)
	}
}

// TestShareOfAmounts: an amount is taken whole or not at all, and a part is what
// can be had.
func TestShareOfAmounts(t *testing.T) {
	s := NewShare(1000)
	a, b := new(Holder), new(Holder)
	for _, step := range []struct {
		h       *Holder
		n       int
		want    bool
		a, b    int // held then
		partOfA int
	}{
		{a, 1001, false, 0, 0, 888},
		{a, 800, true, 800, 0, 888},
		{a, 300, false, 800, 0, 888},
		{b, 150, true, 800, 150, 755},
		{a, 1, false, 800, 150, 755},
		{b, 50, true, 800, 200, 711},
		{b, 1, false, 800, 200, 711},
	} {
		if got := s.Take(step.h, step.n, 1); got != step.want {
			t.Errorf("%d more: %v, want %v", step.n, got, step.want)
		}
		if a.Held() != step.a || b.Held() != step.b || s.Part(a, 1) != step.partOfA {
			t.Errorf("after %d: %d and %d are held, a part of %d; want %d, %d, %d", step.n, a.Held(), b.Held(), s.Part(a, 1), step.a, step.b, step.partOfA)
		}
	}
	s.Give(a, 800)
	if taken, _ := s.Taken(); taken != 200 {
		t.Errorf("%d are taken, want 200", taken)
	}
}

func TestShareMoves(t *testing.T) {
	s := NewShare(9)
	a, b := new(Holder), new(Holder)
	for range 8 {
		s.Take(a, 1, 1)
	}
	if !s.Move(a, b, 8, 1) || a.Held() != 0 || b.Held() != 8 {
		t.Errorf("after a move %d and %d are held, want 0 and 8", a.Held(), b.Held())
	}
	s.Take(a, 1, 1)
	if s.Move(a, b, 1, 1) || a.Held() != 1 || b.Held() != 8 {
		t.Errorf("after a move beyond its part %d and %d are held, want 1 and 8", a.Held(), b.Held())
	}
	s.Give(a, 1)
	s.Take(a, 1, 9) // less than what b holds is left
	if !s.Move(a, b, 0, 1) || !s.Take(b, 0, 1) {
		t.Error("there is not enough of nothing")
	}
	if taken, _ := s.Taken(); taken != 9 {
		t.Errorf("%d are taken, want 9", taken)
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
					s.Give(h, 1)
					break
				}
			}
		}
		for i, h := range holders {
			s.Take(h, 1, weights[i])
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
			s.Give(h, 1)
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
				if h := holders[i%2]; s.Take(h, 1, 1) {
					if taken, of := s.Taken(); taken > of+4 {
						t.Errorf("%d of %d are taken", taken, of)
					}
					s.Give(h, 1)
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
		s.Take(h, 1, 1)
		s.Give(h, 1)
	}
}

package limit

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func newGate(b Bounds) *Gate {
	g := new(Gate)
	g.Set(b)
	return g
}

func TestGateLetsSoManyIn(t *testing.T) {
	g := newGate(Bounds{Most: 2})
	for range 2 {
		if wait, inside := g.Enter(); wait != nil || !inside {
			t.Fatal("one of two is not let in")
		}
	}
	if wait, inside := g.Enter(); wait != nil || inside {
		t.Fatal("the third of two is let in, or may wait where there is no queue")
	}
	g.Leave()
	if _, inside := g.Enter(); !inside {
		t.Fatal("nobody is let in where somebody has left")
	}
}

func TestGateServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Bounds{Most: 1, Queue: 3, Wait: time.Second})
		g.Enter()
		order := make(chan int, 3)
		for i := range 3 {
			wait, inside := g.Enter()
			if wait == nil || inside {
				t.Fatal("there is no place in the queue")
			}
			go func() {
				if wait.Wait() {
					order <- i
				}
			}()
		}
		if wait, inside := g.Enter(); wait != nil || inside {
			t.Fatal("the queue is longer than its bound")
		}
		for want := range 3 {
			g.Leave()
			if got := <-order; got != want {
				t.Errorf("the turn is that of %d, want %d", got, want)
			}
		}
		g.Leave()
		if inside, waiting := g.Load(); inside != 0 || waiting != 0 {
			t.Errorf("%d are inside and %d wait, want none", inside, waiting)
		}
	})
}

func TestGateDoesNotLetWaitForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Bounds{Most: 1, Queue: 2, Wait: time.Second})
		g.Enter()
		began := time.Now()
		wait, _ := g.Enter()
		if wait.Wait() {
			t.Error("it is let in although nobody left")
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("it waited for %v, want a second", took)
		}
		if inside, waiting := g.Load(); inside != 1 || waiting != 0 {
			t.Errorf("%d are inside and %d wait, want 1 and 0", inside, waiting)
		}
	})
}

func TestGateCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Bounds{Most: 1, Queue: 2, Wait: time.Hour})
		g.Enter()
		first, _ := g.Enter()
		second, _ := g.Enter()
		let := make(chan bool, 2)
		go func() { let <- first.Wait() }()
		synctest.Wait()
		first.Cancel()
		first.Cancel()
		if <-let {
			t.Error("one that was cancelled is let in")
		}
		g.Leave()
		second.Cancel()
		// Its turn has come before: whichever of the two it sees, it is inside.
		if !second.Wait() {
			t.Error("one whose turn has come is not inside")
		}
		if inside, waiting := g.Load(); inside != 1 || waiting != 0 {
			t.Errorf("%d are inside and %d wait, want 1 and 0", inside, waiting)
		}
	})
}

func TestGateChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Bounds{Most: 3, Queue: 5, Wait: time.Minute})
		for range 3 {
			g.Enter()
		}
		var waits []*Ticket
		for range 3 {
			wait, _ := g.Enter()
			waits = append(waits, wait)
		}
		g.Set(Bounds{Most: 1})
		if wait, inside := g.Enter(); wait != nil || inside {
			t.Error("one more is let in where there are more than there may be")
		}
		g.Leave()
		g.Leave()
		if inside, waiting := g.Load(); inside != 1 || waiting != 3 {
			t.Errorf("%d are inside and %d wait, want 1 and 3", inside, waiting)
		}
		g.Set(Bounds{Most: 3, Queue: 5, Wait: time.Minute})
		for i, wait := range waits[:2] {
			if !wait.Wait() {
				t.Errorf("ticket %d is not let in although there is room", i)
			}
		}
		if inside, waiting := g.Load(); inside != 3 || waiting != 1 {
			t.Errorf("%d are inside and %d wait, want 3 and 1", inside, waiting)
		}
	})
}

// twin plays the same story on a gate and on two lists.
type twin struct {
	t      *testing.T
	bounds Bounds
	gate   *Gate
	inside int
	queue  []*Ticket
}

func (w *twin) room() bool { return w.inside < w.bounds.Most || w.bounds.Most == 0 }

func (w *twin) enter() {
	wait, in := w.gate.Enter()
	switch {
	case w.room() && len(w.queue) == 0:
		if !in {
			w.t.Fatal("it is not let in")
		}
		w.inside++
	case len(w.queue) < w.bounds.Queue:
		if wait == nil {
			w.t.Fatal("there is no place in the queue")
		}
		w.queue = append(w.queue, wait)
	case in || wait != nil:
		w.t.Fatal("it is not turned away")
	}
}

func (w *twin) cancel(i int) {
	w.queue[i].Cancel()
	if w.queue[i].Wait() {
		w.t.Fatal("one that was cancelled is let in")
	}
	w.queue = slices.Delete(w.queue, i, i+1)
}

// step does one of four things, which as says more about.
func (w *twin) step(what, as byte) {
	switch what % 8 {
	case 0, 1, 2, 3:
		w.enter()
	case 4, 5:
		if w.inside > 0 {
			w.gate.Leave()
			w.inside--
		}
	case 6:
		if n := len(w.queue); n > 0 {
			w.cancel(int(as) % n)
		}
	case 7:
		w.bounds = Bounds{Most: int(as) % 6, Queue: int(as/8) % 5, Wait: time.Hour}
		w.gate.Set(w.bounds)
	}
	for len(w.queue) > 0 && w.room() {
		if !w.queue[0].Wait() {
			w.t.Fatal("the first of the queue is not let in")
		}
		w.queue = w.queue[1:]
		w.inside++
	}
	if in, waiting := w.gate.Load(); in != w.inside || waiting != len(w.queue) {
		w.t.Fatalf("%d are inside and %d wait, want %d and %d", in, waiting, w.inside, len(w.queue))
	}
}

func TestGateIsTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(9, 10))
		w := &twin{t: t, gate: new(Gate)}
		for range 20_000 {
			w.step(byte(random.Uint32()), byte(random.Uint32()))
		}
	})
}

func FuzzGate(f *testing.F) {
	f.Add([]byte{7, 9, 0, 0, 0, 0, 6, 0, 4, 0, 7, 0})
	f.Add([]byte{7, 33, 1, 1, 1, 1, 1, 1, 5, 5, 6, 2, 7, 1, 4, 4})
	f.Fuzz(func(t *testing.T, story []byte) {
		w := &twin{t: t, gate: new(Gate)}
		for i := 0; i+1 < len(story); i += 2 {
			w.step(story[i], story[i+1])
		}
	})
}

func TestGateFromManySides(t *testing.T) {
	g := newGate(Bounds{Most: 2, Queue: 2, Wait: time.Microsecond})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5000 {
				wait, inside := g.Enter()
				if wait != nil {
					inside = wait.Wait()
				}
				if inside {
					g.Leave()
				}
			}
		})
	}
	all.Wait()
	if inside, waiting := g.Load(); inside != 0 || waiting != 0 {
		t.Errorf("%d are inside and %d wait, want none", inside, waiting)
	}
}

func BenchmarkGate(b *testing.B) {
	g := newGate(Bounds{Most: 100})
	b.ReportAllocs()
	for b.Loop() {
		g.Enter()
		g.Leave()
	}
}

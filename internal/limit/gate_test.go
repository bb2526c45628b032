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

// TestGateIsTheModel plays the same story on a gate and on two lists.
func TestGateIsTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(9, 10))
		bounds := Bounds{Most: 3, Queue: 4, Wait: time.Hour}
		g := newGate(bounds)
		inside, queue := 0, []*Ticket(nil)
		admit := func() {
			for inside < bounds.Most && len(queue) > 0 {
				if !queue[0].Wait() {
					t.Fatal("the first of the queue is not let in")
				}
				queue = queue[1:]
				inside++
			}
		}
		for range 20_000 {
			switch random.IntN(8) {
			case 0, 1, 2, 3:
				wait, in := g.Enter()
				switch {
				case inside < bounds.Most && len(queue) == 0:
					if !in {
						t.Fatal("it is not let in")
					}
					inside++
				case len(queue) < bounds.Queue:
					if wait == nil {
						t.Fatal("there is no place in the queue")
					}
					queue = append(queue, wait)
				case in || wait != nil:
					t.Fatal("it is not turned away")
				}
			case 4, 5:
				if inside > 0 {
					g.Leave()
					inside--
				}
			case 6:
				if n := len(queue); n > 0 {
					i := random.IntN(n)
					queue[i].Cancel()
					if queue[i].Wait() {
						t.Fatal("one that was cancelled is let in")
					}
					queue = slices.Delete(queue, i, i+1)
				}
			case 7:
				bounds = Bounds{Most: 1 + random.IntN(5), Queue: random.IntN(5), Wait: time.Hour}
				g.Set(bounds)
			}
			admit()
			if in, waiting := g.Load(); in != inside || waiting != len(queue) {
				t.Fatalf("%d are inside and %d wait, want %d and %d", in, waiting, inside, len(queue))
			}
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

package proxy

import (
	"testing"
	"time"
)

// fakeHearer is a backend connection whose machine does as the test says.
type fakeHearer struct {
	all, gone bool
	asked     int
	woken     bool
}

func (f *fakeHearer) Heard() (all, gone bool) {
	f.asked++
	return f.all, f.gone
}

func (f *fakeHearer) SetDeadline(time.Time) error {
	f.woken = true
	return nil
}

// The sweeper looks when it is time, until all has been heard or nothing will be.
func TestLookForBackend(t *testing.T) {
	for _, test := range []struct {
		name      string
		backend   fakeHearer
		asked     int // in three ticks after the time has come
		woken     bool
		backendIs bool // gone
	}{
		{"heard", fakeHearer{all: true}, 1, false, false},
		{"not yet", fakeHearer{}, 3, false, false},
		{"gone", fakeHearer{gone: true}, 1, true, true},
	} {
		w, b := &watch{clock: newClock()}, test.backend
		w.attach(&b, time.Hour)
		w.heardBy(time.Second)
		w.sweep(w.clock.now())
		if b.asked != 0 {
			t.Errorf("%s: it is looked at too early", test.name)
		}
		for range 3 {
			w.sweep(w.clock.now() + int64(time.Second))
		}
		if b.asked != test.asked || b.woken != test.woken || w.isUnheard.Load() != test.backendIs || w.backendExpired() != test.woken {
			t.Errorf("%s: asked %d times, woken %t, gone %t; want %d, %t, %t", test.name, b.asked, b.woken, w.isUnheard.Load(), test.asked, test.woken, test.backendIs)
		}
		if w.detach() == test.woken {
			t.Errorf("%s: the connection can be used again: %t", test.name, !test.woken)
		}
		w.sweep(w.clock.now() + int64(time.Hour))
		if b.asked != test.asked {
			t.Errorf("%s: it is looked at after the request", test.name)
		}
		if w.attach(&b, time.Hour); w.isUnheard.Load() {
			t.Errorf("%s: the next backend is gone, too", test.name)
		}
	}
}

// A queue is no backend.
func TestLookForBackendInQueue(t *testing.T) {
	w := &watch{clock: newClock()}
	w.attach(waiter{}, time.Hour)
	w.heardBy(0)
	w.sweep(w.clock.now() + 1)
	if w.isUnheard.Load() {
		t.Error("a place in a queue is gone")
	}
}

package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// An optional pool may lose its last backend, sends nothing to one that is
// ejected, and has it tried all the same.
func TestOptionalPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := NewPlan(backends(t, ""), ejecting)
		p := New("t /", plan.AsOptional(), Options{})
		if plan.Key() == p.Plan().Key() {
			t.Error("an optional plan has the key of the other")
		}
		fail(p, 3, 0)
		if got := standings(p); got != "ejected" {
			t.Fatalf("after three failures: %s", got)
		}
		round := p.Round(0, true)
		if m := round.Next(time.Now()); m != nil {
			t.Error("an ejected backend gets requests")
		}
		time.Sleep(10 * time.Second)
		round = p.Round(0, true)
		if m := round.Next(time.Now()); m == nil {
			t.Fatal("nobody tries the backend")
		}
		round.Succeeded(time.Now())
		round.Release()
		if got := standings(p); got != "up" {
			t.Errorf("after the probe: %s", got)
		}
	})
}

// A pool beside which there is no other keeps its last backend.
func TestLastBackendStays(t *testing.T) {
	p := New("t /", NewPlan(backends(t, ""), ejecting), Options{})
	fail(p, 3, 0)
	if got := standings(p); got != "up" {
		t.Errorf("after three failures: %s", got)
	}
}

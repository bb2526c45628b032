package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// A drained backend gets nothing new and keeps no connection; it comes back when
// the order is taken back or over, and starts slowly then.
func TestDrain(t *testing.T) {
	p := poolOf(t, Rules{SlowStart: SlowStart(time.Minute)}, "", "", "backup")
	now := time.Now()
	first := p.seats()[0].declared.Address()
	round := p.Round(0, true)
	if got := p.seatOf(round.Next(now)); got != 0 {
		t.Fatalf("the first request goes to %d", got)
	}
	p.Drain(Drains{first: {Why: "command of uid 0", Since: now}}, now)
	if got := p.InFlight(first); got != 1 {
		t.Errorf("%d requests are in progress, want the one that has begun", got)
	}
	if got := seats(p, 4); got != "[1 1 1 1]" {
		t.Errorf("requests go to %s", got)
	}
	status := p.Status(now)[0]
	if status.Standing != Draining || status.Why != "command of uid 0" || !status.Since.Equal(now) {
		t.Errorf("it stands as %+v", status)
	}
	round.Release()
	if got := p.InFlight(first); got != 0 {
		t.Errorf("%d requests are in progress, want none", got)
	}
	p.Drain(nil, now.Add(time.Second))
	if st, _ := p.seats()[0].standing(now); st != Up || !p.seats()[0].risen().Equal(now.Add(time.Second)) {
		t.Errorf("taken back, it is %s since %v", st, p.seats()[0].risen())
	}
}

// An order that ends by itself needs nobody.
func TestDrainEnds(t *testing.T) {
	p := poolOf(t, Rules{}, "", "")
	now := time.Now()
	end := now.Add(time.Hour)
	p.Drain(Drains{p.seats()[0].declared.Address(): {Until: end}}, now)
	for at, want := range map[time.Time]bool{now: false, end: true} {
		found := false
		for range 4 {
			round := p.Round(0, true)
			found = found || p.seatOf(round.Next(at)) == 0
			round.Release()
		}
		if found != want {
			t.Errorf("at %v it gets requests: %v, want %v", at, found, want)
		}
	}
	if got := p.seats()[0].risen(); !got.Equal(end) {
		t.Errorf("it is up since %v, want %v", got, end)
	}
}

// Whoever reads a view that an order has overtaken picks another backend.
func TestDrainOvertakesView(t *testing.T) {
	p := poolOf(t, Rules{}, "", "")
	stale := p.view.Load()
	p.Drain(Drains{p.seats()[0].declared.Address(): {}}, time.Now())
	p.view.Store(stale)
	for range 4 {
		if got := once(p, 0); got != 1 {
			t.Errorf("a request goes to %d", got)
		}
	}
	if n := p.seats()[0].Member.InFlight(); n != 0 {
		t.Errorf("%d requests count", n)
	}
}

// What is drained is so in the pool of the next table from the start.
func TestDrainIsAdopted(t *testing.T) {
	list := backends(t, "", "")
	drains := Drains{list[0].Address(): {}}
	former := New("t /", NewPlan(list, Rules{}), Options{Drains: drains})
	next := New("t /", NewPlan(list, Rules{Balance: Balance{Policy: LeastRequests}}), Options{Drains: drains, Adopt: former.Orphan})
	for _, p := range []*Pool{former, next} {
		if got := once(p, 0); got != 1 {
			t.Errorf("a request goes to %d", got)
		}
	}
}

// A drained backend is no reason not to eject another, nor one to do it: what is
// up is counted among those that are in rotation.
func TestDrainedDoNotCountForEjection(t *testing.T) {
	p := poolOf(t, Rules{Ejection: builtinEjection}, "", "")
	now := time.Now()
	p.Drain(Drains{p.seats()[0].declared.Address(): {}}, now)
	if p.mayEject(p.seats()[1].Member, now) {
		t.Error("the last backend in rotation may be ejected")
	}
}

// Idle connections go when a backend is drained, and those in use after their
// answer.
func TestDrainClosesIdle(t *testing.T) {
	m, _ := plainMember(t)
	idle, busy := dial(t, m), dial(t, m)
	idle.Keep()
	p := m.owner.Load()
	p.Drain(Drains{m.backend.Address(): {}}, time.Now())
	if p.Idle() != 0 {
		t.Error("an idle connection stays")
	}
	busy.Keep()
	if p.Idle() != 0 {
		t.Error("a connection is kept")
	}
	p.Drain(nil, time.Now())
	again := dial(t, m)
	again.Keep()
	if p.Idle() != 1 {
		t.Error("no connection is kept after it was taken back")
	}
}

// What has begun at an address that its name has left counts in the pool that was
// replaced, and what another pool has adopted does not.
func TestInFlightUnadopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(finder)
		f.set("app.internal", "10.0.0.1", 10*time.Second)
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		former := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns})
		ns.Watch([]*Pool{former})
		synctest.Wait()
		left, _ := begin(former)
		f.set("app.internal", "10.0.0.2", 10*time.Second)
		time.Sleep(time.Minute)
		adopted, _ := begin(former)
		next := New("t /", NewPlan(named(t, appURL), ejecting), Options{Names: ns, Adopt: former.Orphan})
		address := left.member.backend.address
		if a, b := next.InFlight(address), former.InFlightUnadopted(address); a != 1 || b != 1 {
			t.Errorf("%d are in progress at the new pool, %d at the former one alone; want 1 and 1", a, b)
		}
		former.Drain(Drains{address: {}}, time.Now())
		if !left.member.drained.Load().holds(time.Now()) || adopted.member.drained.Load() != nil {
			t.Error("the former pool drains its own, and what it has no longer")
		}
		left.Release()
		adopted.Release()
		if n := former.InFlightUnadopted(""); n != 0 {
			t.Errorf("%d are in progress in the end", n)
		}
	})
}

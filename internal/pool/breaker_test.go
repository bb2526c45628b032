package pool

import (
	"sync"
	"testing"
	"time"

	"gatehouse/internal/conf"
)

func TestBreakerSpec(t *testing.T) {
	for text, want := range map[string]string{
		"circuit_breaker: {connections: 100, pending: 20}":  "circuit breaker at 100 connections or 20 pending requests",
		"circuit_breaker: {connections: off, pending: 20}":  "circuit breaker at 20 pending requests",
		"circuit_breaker: {connections: off, pending: off}": "no circuit breaker",
		"circuit_breaker: {connections: 0}":                 `f:1:32: connections is 0; expected 1 to 1000000, or off`,
		"circuit_breaker: {pending: 1000001}":               `f:1:28: pending is 1000001; expected 1 to 1000000, or off`,
	} {
		var f struct {
			Breaker *BreakerSpec `conf:"circuit_breaker" doc:"d"`
		}
		r := new(conf.Report)
		conf.Decode("f", []byte(text), &f, r)
		got := f.Breaker.Compile().String()
		if list := r.Findings(); len(list) > 0 {
			got = list[0].Pos.String() + ": " + list[0].Text
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// begin begins a request and returns it with the seat that it came to.
func begin(p *Pool) (*Round, int) {
	r := p.Round(0, true)
	return &r, p.seatOf(r.Next(time.Now()))
}

// A backend that is full is passed over, whatever the policy; backups take what
// is more, and ejected backends do not.
func TestBreakerConnections(t *testing.T) {
	for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
		p := poolOf(t, Rules{Balance: Balance{Policy: policy}, Ejection: ejecting.Ejection, Breaker: Breaker{Connections: 2}}, "", "", "backup", "")
		fail(p, 3, 3)
		came := make([]int, 4)
		var rounds []*Round
		for range 6 {
			r, seat := begin(p)
			if seat < 0 {
				t.Fatalf("%v: nobody takes a request after %v", policy, came)
			}
			rounds = append(rounds, r)
			came[seat]++
		}
		if came[0] != 2 || came[1] != 2 || came[2] != 2 {
			t.Errorf("%v: requests came to %v, want two to each but the ejected one", policy, came)
		}
		r, seat := begin(p)
		if seat != -1 || !r.Crowded() {
			t.Errorf("%v: one more came to %d, crowded %t", policy, seat, r.Crowded())
		}
		r.Release()
		full := rounds[0].member
		rounds[0].Release()
		if r, seat = begin(p); seat != p.seatOf(full) {
			t.Errorf("%v: with room at %d it came to %d", policy, p.seatOf(full), seat)
		}
		r.Release()
		for _, r := range rounds {
			r.Release()
		}
		for i, b := range p.Status(time.Now()) {
			if b.InFlight != 0 {
				t.Errorf("%v: %d requests are left at %d", policy, b.InFlight, i)
			}
		}
	}
}

// Requests are pending until their answer begins, or they are over.
func TestBreakerPending(t *testing.T) {
	ends := map[string]func(*Round){
		"an answer":   func(r *Round) { r.Answered(200, time.Now()) },
		"an error":    func(r *Round) { r.Answered(500, time.Now()) },
		"503":         func(r *Round) { r.Answered(503, time.Now()) },
		"the end":     func(r *Round) { r.Release() },
		"both":        func(r *Round) { r.Answered(200, time.Now()); r.Release() },
		"another try": func(r *Round) { r.Failed(time.Now(), "test"); r.Next(time.Now()) },
	}
	for what, end := range ends {
		p := poolOf(t, Rules{Ejection: Ejection{Errors: 100, Of: 1000, Within: time.Second, Share: 50}, Breaker: Breaker{Pending: 1}}, "")
		first, _ := begin(p)
		if r, seat := begin(p); seat != -1 || !r.Crowded() {
			t.Errorf("%s: a second request came to %d", what, seat)
		}
		if got := p.Status(time.Now())[0]; got.Pending != 1 || got.InFlight != 1 {
			t.Errorf("%s: %d pending of %d, want 1 of 1", what, got.Pending, got.InFlight)
		}
		end(first)
		second, seat := begin(p)
		if seat != 0 {
			t.Errorf("after %s a request came to %d", what, seat)
		}
		second.Release()
		first.Release()
		if got := p.Status(time.Now())[0]; got.Pending != 0 || got.InFlight != 0 {
			t.Errorf("after %s: %d pending of %d are left", what, got.Pending, got.InFlight)
		}
	}
}

// Many at once: never more than may be, and nothing is left over.
func TestBreakerConcurrently(t *testing.T) {
	p := poolOf(t, Rules{Breaker: Breaker{Connections: 3, Pending: 2}}, "", "")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				r, seat := begin(p)
				if seat >= 0 {
					if n := r.member.InFlight(); n > 3 {
						t.Errorf("%d in progress, want at most 3", n)
					}
					r.Succeeded(time.Now())
				}
				r.Release()
			}
		})
	}
	all.Wait()
	for _, b := range p.Status(time.Now()) {
		if b.InFlight != 0 || b.Pending != 0 {
			t.Errorf("%d, %d are left", b.InFlight, b.Pending)
		}
	}
}

// A probe that finds no room leaves the backend to the next one.
func TestBreakerAndProbe(t *testing.T) {
	p := poolOf(t, Rules{Ejection: Ejection{Failures: 1, First: time.Second, Longest: time.Second, Share: 50}, Breaker: Breaker{Connections: 1}}, "", "")
	long := p.Round(0, true)
	now := time.Now()
	at := long.Next(now)
	long.Failed(now, "test")
	later := now.Add(2 * time.Second)
	r := p.Round(0, true)
	if m := r.Next(later); m == at || m == nil {
		t.Errorf("came to %v, want to the one that has room", m)
	}
	r.Release()
	long.Release()
	if m := r.Next(later); m == at {
		t.Error("a round tries a backend twice")
	}
	r.Release()
	r = p.Round(0, true)
	if r.Next(later) != at || !r.probing {
		t.Error("the ejected one is not tried once it has room")
	}
	r.Release()
}

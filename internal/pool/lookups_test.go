package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/dnsquery"
)

// The first request waits for DNS, no longer than it may; later ones are told at
// once why a name leads nowhere.
func TestDialByName(t *testing.T) {
	l, _ := listen(t)
	url := fmt.Sprintf("http://app.internal:%d", l.Addr().(*net.TCPAddr).Port)
	f := &finder{held: make(chan struct{})}
	f.set("app.internal", "127.0.0.1", time.Minute)
	ns, stop := start(t, NamesOptions{Finder: f})
	defer stop()
	p := New("t /", NewPlan(named(t, url), Rules{}), Options{Names: ns})
	defer p.Close()
	ns.Watch([]*Pool{p})
	round := p.Round(0, true)
	m := round.Next(time.Now())
	if _, err := m.Dial(time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that there is no answer yet", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { close(f.held) }) // most likely while it waits
	c := dial(t, m)
	waitUntil(t, func() bool { return where(p) == "127.0.0.1" })
	c.Keep()
	if p.Idle() != 0 {
		t.Error("a connection of a name that led nowhere is kept")
	}
	round.Release()

	f.fail(&dnsquery.Error{Kind: dnsquery.ServerFailure, Name: "b.internal", Type: "A"})
	q := New("t /b", NewPlan(named(t, "http://b.internal"), ejecting), Options{Names: ns})
	defer q.Close()
	ns.Watch([]*Pool{p, q})
	round = q.Round(0, true)
	defer round.Release()
	_, err := round.Next(time.Now()).Dial(5 * time.Second)
	if want := `pool "t /b": dial b.internal:80: look up A of b.internal: SERVFAIL`; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	round.Failed(time.Now(), "no connection")
	if got := q.Status(time.Now())[0]; got.Standing != Unresolved || got.Why != "look up A of b.internal: SERVFAIL" {
		t.Errorf("status %+v", got)
	}
}

// An address that is not reached has its name looked up soon.
func TestHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(finder)
		f.set("app.internal", "169.254.0.1", time.Hour)
		f.set("app.internal", "10.0.0.1", time.Hour)
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		p := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns, Guard: func(netip.AddrPort) error { return errors.New("not there") }})
		ns.Watch([]*Pool{p})
		synctest.Wait()
		f.set("app.internal", "10.0.0.2", time.Hour)
		for range 1000 {
			if _, err := p.seats()[0].Dial(time.Second); err == nil {
				t.Fatal("it was reached")
			}
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if got := where(p); got != "10.0.0.2" {
			t.Errorf("ten seconds later: %s", got)
		}
		if got := f.count(); got > 3 {
			t.Errorf("%d lookups in ten seconds, want at most 3", got)
		}
	})
}

// An owner whose names nobody answers for keeps nobody else waiting.
func TestLookupsThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &hanging{}
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		var pools []*Pool
		for i := range 100 {
			pools = append(pools, New("a /", NewPlan(named(t, fmt.Sprintf("http://slow%d.internal", i)), Rules{}), Options{Names: ns, Owner: "a"}))
		}
		fine := New("b /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns, Owner: "b"})
		ns.Watch(append(pools, fine))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := where(fine); got != "10.0.0.1" {
			t.Errorf("the other owner's name: %s", got)
		}
		time.Sleep(time.Hour)
		f.mu.Lock()
		if f.most != ownerLookupsMax || f.asked < 4*int(time.Hour/lookupTimeMax)-10 {
			t.Errorf("%d lookups of one owner at a time, %d in all, want %d at a time", f.most, f.asked, ownerLookupsMax)
		}
		f.mu.Unlock()
		ns.Watch([]*Pool{fine})
		time.Sleep(lookupTimeMax)
		synctest.Wait()
		if len(ns.queue) != 1 || len(ns.known) != 1 || len(ns.loads) != 0 {
			t.Errorf("%d in the queue, %d known, %d owners at work, want the one that is watched", len(ns.queue), len(ns.known), len(ns.loads))
		}
	})
}

// Names that wait for a place of their owner's are looked up although they have
// another owner by then.
func TestLookupsChangeOwner(t *testing.T) {
	for name, reload := range map[string]func(ns *Names, a, b *Pool){
		"another order": func(ns *Names, a, b *Pool) { ns.Watch([]*Pool{b, a}) },
		"one has left":  func(ns *Names, _, b *Pool) { ns.Watch([]*Pool{b}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &finder{held: make(chan struct{})}
			var ofA, ofB []string
			for i := range 3 * ownerLookupsMax {
				host := fmt.Sprintf("n%d.internal", i)
				f.set(host, fmt.Sprintf("10.0.0.%d", i+1), time.Minute)
				ofA, ofB = append(ofA, "http://"+host+":8080"), append(ofB, "http://"+host+":9090")
			}
			ns, stop := start(t, NamesOptions{Finder: f})
			defer stop()
			a := New("a /", NewPlan(named(t, ofA...), Rules{}), Options{Names: ns, Owner: "a"})
			b := New("b /", NewPlan(named(t, ofB...), Rules{}), Options{Names: ns, Owner: "b"})
			ns.Watch([]*Pool{a, b})
			synctest.Wait() // as many as may be are under way, the others wait
			reload(ns, a, b)
			close(f.held)
			time.Sleep(time.Hour)
			synctest.Wait()
			for _, n := range ns.Status() {
				if n.Confirmed.IsZero() {
					t.Errorf("%s: %s was not looked up in an hour", name, n.Host)
				}
			}
		})
	}
}

// Names whose turn has come and that are no longer watched then keep none waiting
// that would have come after them.
func TestLookupsOfThoseThatLeave(t *testing.T) {
	ns := NewNames(NamesOptions{})
	pools := make([]*Pool, 3*ownerLookupsMax)
	for i := range pools {
		pools[i] = New("a /", NewPlan(named(t, fmt.Sprintf("http://n%d.internal", i)), Rules{}), Options{Names: ns, Owner: "a"})
	}
	ns.Watch(pools)
	now := time.Now()
	var of *load
	var asked []*name
	for n, l := ns.take(now); n != nil; n, l = ns.take(now) {
		asked, of = append(asked, n), l
	}
	for _, n := range asked {
		ns.done(n, of, time.Minute, now)
	}
	waiting := slices.Clone(of.waiting)
	ns.Watch(slices.DeleteFunc(pools, func(p *Pool) bool {
		return !slices.ContainsFunc(waiting, func(n *name) bool { return n.pools[0] == p })
	}))
	if len(waiting) != ownerLookupsMax || len(ns.queue) != len(waiting) || len(ns.loads) != 0 {
		t.Errorf("%d waited, %d are in the queue, %d owners at work; want %d in the queue and nobody at work",
			len(waiting), len(ns.queue), len(ns.loads), ownerLookupsMax)
	}
}

type hanging struct {
	mu         sync.Mutex
	busy, most int
	asked      int
}

func (h *hanging) Host(ctx context.Context, name string) (dnsquery.HostAnswer, error) {
	if !strings.HasPrefix(name, "slow") {
		return dnsquery.HostAnswer{V4: dnsquery.Family{Addresses: addrs("10.0.0.1")}, TTL: time.Hour}, nil
	}
	h.mu.Lock()
	h.busy++
	h.asked++
	h.most = max(h.most, h.busy)
	h.mu.Unlock()
	<-ctx.Done()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy--
	return dnsquery.HostAnswer{}, &dnsquery.Error{Kind: dnsquery.Timeout}
}

// Checks look at each address, and follow the name.
func TestChecksFollowNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, count, stopChecks := runChecks(t, func(context.Context, *Member, *Health) error { return nil })
		defer stopChecks()
		f := new(finder)
		f.set("app.internal", "10.0.0.1 10.0.0.2", time.Minute)
		ns, stop := start(t, NamesOptions{Finder: f, Changed: c.Refresh})
		defer stop()
		p := New("t /", NewPlan(named(t, appURL), Rules{Health: health(t, "{path: /, every: 1s}")}), Options{Names: ns})
		c.Watch([]*Pool{p})
		ns.Watch([]*Pool{p})
		time.Sleep(10 * time.Second)
		gone := p.seats()[0].Member
		f.set("app.internal", "10.0.0.2 10.0.0.3", time.Minute)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		count.mu.Lock()
		defer count.mu.Unlock()
		if len(count.times) != 3 || len(count.times[gone]) > 80 {
			t.Errorf("%d members were looked at, one that left %d times", len(count.times), len(count.times[gone]))
		}
		if len(c.queue) != 2 {
			t.Errorf("%d in the queue, want 2", len(c.queue))
		}
	})
}

// Programs listen on either loopback address; a name that leads to both is one
// place.
func TestLoopbackOfBothFamilies(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := &finder{hosts: map[string]dnsquery.HostAnswer{"localhost": {
		V4: dnsquery.Family{Addresses: addrs("127.0.0.1")}, V6: dnsquery.Family{Addresses: addrs("::1")},
	}}}
	ns, stop := start(t, NamesOptions{Finder: f})
	defer stop()
	p := New("t /", NewPlan(named(t, fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)), Rules{}), Options{Names: ns})
	ns.Watch([]*Pool{p})
	waitUntil(t, func() bool { return where(p) != "unresolved" })
	if got := where(p); got != "127.0.0.1" {
		t.Errorf("localhost is at %s", got)
	}
	c := dial(t, p.seats()[0].Member)
	c.Close()
}

// Requests, orders, reloads and DNS come at the same time.
func TestNamesUnderLoad(t *testing.T) {
	ns := NewNames(NamesOptions{Finder: new(finder)})
	plan := NewPlan(named(t, appURL, "http://10.9.9.9"), Rules{Balance: Balance{Policy: LeastRequests}, Ejection: builtinEjection})
	p := New("t /", plan, Options{Names: ns})
	ns.Watch([]*Pool{p})
	n := p.named["app.internal"]
	stop := make(chan struct{})
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for now := time.Now(); ; now = time.Now() {
				select {
				case <-stop:
					return
				default:
				}
				round := p.Round(0, true)
				for m := round.Next(now); m != nil; m = round.Next(now) {
					round.Failed(now, "a test")
				}
				round.Release()
			}
		})
	}
	for i := range 2000 {
		list := addrs("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4")[i%3 : 2+i%3]
		n.known.Store(n.known.Load().learn(dnsquery.HostAnswer{V4: dnsquery.Family{Addresses: list}}, nil, time.Now()))
		p.settle()
		if i%10 == 0 {
			p.Drain(Drains{"10.9.9.9:80": {}}, time.Now())
			p.Drain(nil, time.Now())
		}
	}
	close(stop)
	running.Wait()
	for _, s := range p.seats() {
		if got := s.InFlight(); got != 0 {
			t.Errorf("%s has %d requests in progress, want none", s.key, got)
		}
	}
	if got := p.InFlight("app.internal:8080"); got != 0 {
		t.Errorf("%d requests are in progress at the name, want none", got)
	}
	p.Close()
}

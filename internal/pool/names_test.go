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

	"gatehouse/internal/conf"
	"gatehouse/internal/dnsquery"
)

// finder answers from a list that tests change.
type finder struct {
	mu    sync.Mutex
	hosts map[string]dnsquery.HostAnswer
	err   error
	took  time.Duration
	asked []string
}

func (f *finder) Host(ctx context.Context, name string) (dnsquery.HostAnswer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, name)
	answer, err, took := f.hosts[name], f.err, f.took
	f.mu.Unlock()
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return dnsquery.HostAnswer{}, ctx.Err()
		}
	}
	if err == nil && len(answer.V4.Addresses)+len(answer.V6.Addresses) == 0 {
		err = &dnsquery.Error{Kind: dnsquery.NoSuchName, Name: name, Type: "A"}
	}
	return answer, err
}

// set has a name lead to IPv4 addresses, separated by blanks.
func (f *finder) set(name, addresses string, ttl time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hosts == nil {
		f.hosts = make(map[string]dnsquery.HostAnswer)
	}
	f.err = nil
	f.hosts[name] = dnsquery.HostAnswer{V4: dnsquery.Family{Addresses: addrs(addresses)}, TTL: ttl}
}

func (f *finder) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *finder) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func addrs(text string) (list []netip.Addr) {
	for _, word := range strings.Fields(text) {
		list = append(list, netip.MustParseAddr(word))
	}
	return list
}

// start runs Names until the test's end.
func start(t *testing.T, o NamesOptions) (ns *Names, stop func()) {
	t.Helper()
	ns = NewNames(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = ns.Run(ctx)
	}()
	return ns, func() { cancel(); <-done }
}

func named(t testing.TB, urls ...string) []*Backend {
	t.Helper()
	var list []*Backend
	for _, u := range urls {
		r := new(conf.Report)
		b := CompileBackend(at(BackendSpec{URL: at(u)}), noFile, r)
		if b == nil {
			t.Fatal(r.Findings())
		}
		list = append(list, b)
	}
	return list
}

// where lists the addresses of a pool's seats.
func where(p *Pool) string {
	var words []string
	for _, b := range p.Status(time.Now()) {
		word := string(b.Standing)
		if b.Address.IsValid() {
			word = b.Address.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

const appURL = "http://app.internal:8080"

// A name is looked up again as its records say, within bounds, and the seats
// follow.
func TestNamesFollow(t *testing.T) {
	for _, test := range []struct {
		ttl         time.Duration
		least, most int // lookups in an hour
	}{
		{0, 650, 721},
		{time.Minute, 54, 61},
		{24 * time.Hour, 10, 13},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := new(finder)
			f.set("app.internal", "10.0.0.1 10.0.0.2", test.ttl)
			ns, stop := start(t, NamesOptions{Finder: f})
			defer stop()
			p := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns})
			ns.Watch([]*Pool{p})
			synctest.Wait()
			if got := where(p); got != "10.0.0.1 10.0.0.2" {
				t.Fatalf("at first: %s", got)
			}
			f.set("app.internal", "10.0.0.2 10.0.0.3", test.ttl)
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := where(p); got != "10.0.0.2 10.0.0.3" {
				t.Errorf("an hour later: %s", got)
			}
			if got := f.count(); got < test.least || got > test.most {
				t.Errorf("%d lookups in an hour with a time to live of %s, want %d to %d", got, test.ttl, test.least, test.most)
			}
		})
	}
}

// What is known stays in use while DNS knows nothing, answers nonsense or says
// where no backend may be.
func TestNamesKeepTheLastGood(t *testing.T) {
	for name, spoil := range map[string]func(f *finder){
		"no such name": func(f *finder) { f.set("app.internal", "", time.Second) },
		"SERVFAIL":     func(f *finder) { f.fail(&dnsquery.Error{Kind: dnsquery.ServerFailure}) },
		"garbage":      func(f *finder) { f.fail(&dnsquery.Error{Kind: dnsquery.Malformed}) },
		"metadata":     func(f *finder) { f.set("app.internal", "169.254.169.254", time.Second) },
		"nobody":       func(f *finder) { f.set("app.internal", "0.0.0.0", time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []Lookup
				f := new(finder)
				f.set("app.internal", "10.0.0.1 10.0.0.2", time.Minute)
				ns, stop := start(t, NamesOptions{Finder: f, Notify: func(l Lookup) { told = append(told, l) }})
				defer stop()
				p := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns})
				ns.Watch([]*Pool{p})
				synctest.Wait()
				confirmed := time.Now()
				spoil(f)
				time.Sleep(6 * time.Hour)
				synctest.Wait()
				if got := where(p); got != "10.0.0.1 10.0.0.2" {
					t.Errorf("six hours later: %s", got)
				}
				status := ns.Status()[0]
				if status.Fault == nil || !status.Confirmed.Equal(confirmed) || status.Since.Before(confirmed) {
					t.Errorf("status %+v", status)
				}
				if n, most := f.count(), int(6*time.Hour/retryMost); n > most+10 {
					t.Errorf("%d lookups in six hours, want at most %d", n, most)
				}
				f.set("app.internal", "10.0.0.3", time.Minute)
				time.Sleep(2 * retryMost)
				synctest.Wait()
				if got := where(p); got != "10.0.0.3" {
					t.Errorf("when DNS is back: %s", got)
				}
				turns := 0
				for _, l := range told {
					if l.Turned {
						turns++
					}
				}
				if turns != 3 {
					t.Errorf("%d turns were told, want the first answer, the fault and its end", turns)
				}
			})
		})
	}
}

// Where one family has no answer, the other one is used, and what the first had is
// kept.
func TestNamesOneFamily(t *testing.T) {
	k := new(knowledge)
	v4, late := dnsquery.Family{Addresses: addrs("10.0.0.1")}, dnsquery.Family{Err: &dnsquery.Error{Kind: dnsquery.Timeout}}
	k = k.learn(dnsquery.HostAnswer{V4: v4, V6: late}, nil, time.Now())
	if k.fault != nil || fmt.Sprint(k.addresses) != "[10.0.0.1]" {
		t.Errorf("without an answer about AAAA: %v, %v", k.addresses, k.fault)
	}
	k.v6 = addrs("::1")
	k = k.learn(dnsquery.HostAnswer{V4: v4, V6: late}, nil, time.Now())
	if fmt.Sprint(k.v6) != "[::1]" {
		t.Errorf("what was known of the other family is %v", k.v6)
	}
}

func TestNamesWithManyAddresses(t *testing.T) {
	var all []netip.Addr
	for i := range 500 {
		all = append(all, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	k := new(knowledge).learn(dnsquery.HostAnswer{V4: dnsquery.Family{Addresses: all}}, nil, time.Now())
	if len(k.addresses) != seatsMost || k.all != 500 {
		t.Fatalf("%d of %d are used, want %d of 500", len(k.addresses), k.all, seatsMost)
	}
	fewer := new(knowledge).learn(dnsquery.HostAnswer{V4: dnsquery.Family{Addresses: all[1:]}}, nil, time.Now())
	both := 0
	for _, a := range fewer.addresses {
		if slices.Contains(k.addresses, a) {
			both++
		}
	}
	if both < seatsMost-1 {
		t.Errorf("one of 500 went, and %d of %d stayed", both, seatsMost)
	}
	f := &finder{hosts: map[string]dnsquery.HostAnswer{"app.internal": {V4: dnsquery.Family{Addresses: all}}, "b.internal": {V4: dnsquery.Family{Addresses: all}}}}
	synctest.Test(t, func(t *testing.T) {
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		p := New("t /", NewPlan(named(t, appURL, "http://b.internal", "http://10.9.9.9"), Rules{Balance: Balance{Policy: HashClient}}), Options{Names: ns})
		ns.Watch([]*Pool{p})
		synctest.Wait()
		if got := len(p.seats()); got != 127+127+1 {
			t.Errorf("%d seats, want the room shared by two names", got)
		}
	})
}

// A backend has the share of its weight however many addresses its name leads to.
func TestNamesShareTheWeight(t *testing.T) {
	for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
		synctest.Test(t, func(t *testing.T) {
			f := new(finder)
			f.set("app.internal", "10.0.0.1 10.0.0.2 10.0.0.3", time.Minute)
			ns, stop := start(t, NamesOptions{Finder: f})
			defer stop()
			p := New("t /", NewPlan(named(t, appURL, "http://10.9.9.9"), Rules{Balance: Balance{Policy: policy}}), Options{Names: ns})
			synctest.Wait()
			ns.Watch([]*Pool{p})
			var counts [4]int
			for i := range 6000 {
				counts[once(p, mix(uint64(i)))]++
			}
			for i, want := range []int{1000, 1000, 1000, 3000} {
				if got := counts[i]; got < want*8/10 || got > want*12/10 {
					t.Errorf("policy %v: seat %d got %d of 6000, want about %d", policy, i, got, want)
				}
			}
		})
	}
}

// The seats of a reload are those of before: connections and health go over, and
// an address that left DNS loses its idle connections.
func TestNamesOverAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(finder)
		f.set("app.internal", "10.0.0.1 10.0.0.2", time.Minute)
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		old := New("t /", NewPlan(named(t, appURL), ejecting), Options{Names: ns})
		ns.Watch([]*Pool{old})
		synctest.Wait()
		fail(old, 3, 1)
		second := old.seats()[1].Member
		next := New("t /", NewPlan(named(t, appURL, "http://10.9.9.9"), ejecting), Options{Names: ns, Adopt: old.Orphan})
		old.Close()
		ns.Watch([]*Pool{next})
		if got := standings(next); got != "up ejected up" {
			t.Errorf("after the reload: %s", got)
		}
		if next.seats()[1].Member != second {
			t.Error("the member was not adopted")
		}
		if old.settle() {
			t.Error("a closed pool has other seats")
		}
		f.set("app.internal", "10.0.0.1", time.Minute)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := where(next); got != "10.0.0.1 up" {
			t.Errorf("when one has left: %s", got)
		}
		if second.push(nil) {
			t.Error("a connection to an address that has left is kept")
		}
		round := Round{pool: next, member: second}
		round.Failed(time.Now(), "connection refused")
		round.Succeeded(time.Now())
	})
}

// A request that has tried an address does not try it again because another one
// came.
func TestNamesChangeUnderARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(finder)
		f.set("app.internal", "10.0.0.2 10.0.0.3", time.Minute)
		ns, stop := start(t, NamesOptions{Finder: f})
		defer stop()
		p := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns})
		ns.Watch([]*Pool{p})
		synctest.Wait()
		round := p.Round(0, true)
		defer round.Release()
		seen := []string{round.Next(time.Now()).place.String()}
		f.set("app.internal", "10.0.0.1 10.0.0.2 10.0.0.3", time.Minute)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for m := round.Next(time.Now()); m != nil; m = round.Next(time.Now()) {
			seen = append(seen, m.place.String())
		}
		slices.Sort(seen)
		if got := fmt.Sprint(seen); got != "[10.0.0.1 10.0.0.2 10.0.0.3]" {
			t.Errorf("the request tried %s", got)
		}
	})
}

// The first request waits for DNS, no longer than it may; later ones are told at
// once why a name leads nowhere.
func TestDialByName(t *testing.T) {
	l, _ := listen(t)
	url := fmt.Sprintf("http://app.internal:%d", l.Addr().(*net.TCPAddr).Port)
	f := &finder{took: 50 * time.Millisecond}
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

package pool

import (
	"context"
	"fmt"
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
	held  chan struct{} // no answer comes before it is closed; nil: at once
	asked []string
}

func (f *finder) Host(ctx context.Context, name string) (dnsquery.HostAnswer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, name)
	answer, err, held := f.hosts[name], f.err, f.held
	f.mu.Unlock()
	if held != nil {
		select {
		case <-held:
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

// An address where no backend may be is left out, and told when it comes first.
func TestNamesLeaveOutForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		barred := 0
		f := new(finder)
		f.set("app.internal", "10.0.0.1 169.254.169.254", time.Minute)
		ns, stop := start(t, NamesOptions{Finder: f, Notify: func(l Lookup) {
			if l.Barred {
				barred++
			}
		}})
		defer stop()
		p := New("t /", NewPlan(named(t, appURL), Rules{}), Options{Names: ns})
		ns.Watch([]*Pool{p})
		time.Sleep(time.Hour)
		synctest.Wait()
		s := ns.Status()[0]
		if s.Forbidden == nil || !strings.HasPrefix(s.Forbidden.Error(), "169.254.169.254 is ") || where(p) != "10.0.0.1" || barred != 1 {
			t.Errorf("status %+v, requests go to %s, told %d times", s, where(p), barred)
		}
		f.set("app.internal", "10.0.0.1", time.Minute)
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := ns.Status()[0]; s.Forbidden != nil || s.Fault != nil {
			t.Errorf("when it has gone: %+v", s)
		}
	})
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

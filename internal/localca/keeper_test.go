package localca

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// house is a Keeper under test with what it last published.
type house struct {
	store  store.Store
	ca     *CA
	keeper *Keeper
	log    bytes.Buffer
	clock  atomic.Int64 // nanoseconds that somebody moved the clock of the wall by
	stop   func()

	mu        sync.Mutex
	published []*tls.Certificate
	times     int // of publishing
}

func newHouse(t *testing.T, s store.Store) *house {
	t.Helper()
	h := &house{store: s}
	log := slog.New(slog.NewTextHandler(&h.log, nil))
	ca, err := Open(t.Context(), s, log, h.now)
	if err != nil {
		t.Fatal(err)
	}
	h.ca = ca
	h.keeper = NewKeeper(ca, log, func(certs []*tls.Certificate) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.published = certs
		h.times++
	})
	return h
}

func (h *house) now() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// pass lets the clock of the wall move on by d, in one look's time.
func (h *house) pass(d time.Duration) {
	h.clock.Add(int64(d - checkEvery))
	time.Sleep(checkEvery)
	synctest.Wait()
}

// leaves returns what was last published, and how often something was.
func (h *house) leaves() ([]*tls.Certificate, int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published, h.times
}

// run starts Run; stop ends it and waits.
func (h *house) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- h.keeper.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	}
}

func (h *house) set(t *testing.T, names ...string) {
	t.Helper()
	if err := h.keeper.SetNames(t.Context(), names); err != nil {
		t.Fatalf("SetNames(%.100q): %v", names, err)
	}
}

func (h *house) serials() map[string]string {
	serials := make(map[string]string)
	leaves, _ := h.leaves()
	for _, cert := range leaves {
		serials[nameOf(authority{cert: cert.Leaf})] = cert.Leaf.SerialNumber.String()
	}
	return serials
}

// wantServed checks that what is published is names, each with a leaf that a
// client accepts now.
func (h *house) wantServed(t *testing.T, names ...string) {
	t.Helper()
	var got []string
	leaves, _ := h.leaves()
	for _, cert := range leaves {
		name := nameOf(authority{cert: cert.Leaf})
		got = append(got, name)
		if err := verify(h.ca, cert, strings.Replace(name, "*", "any", 1), h.now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("published %q, want %q", got, names)
	}
}

func TestSetNames(t *testing.T) {
	h := newHouse(t, store.NewMem())
	h.set(t, "b.example", "a.example", "b.example", "*.c.example", "192.0.2.1")
	h.wantServed(t, "*.c.example", "192.0.2.1", "a.example", "b.example")
	before := h.serials()
	h.set(t, "d.example", "a.example")
	h.wantServed(t, "a.example", "d.example")
	if after := h.serials(); after["a.example"] != before["a.example"] {
		t.Errorf("a.example was issued again")
	}
	h.set(t)
	h.wantServed(t)
	if _, times := h.leaves(); times != 3 {
		t.Errorf("published %d times, want once for each SetNames", times)
	}
}

func TestSetNamesServesTheOthers(t *testing.T) {
	h := newHouse(t, store.NewMem())
	err := h.keeper.SetNames(t.Context(), []string{"a.example", "Not A Host", "b.example", "*"})
	if err == nil || !strings.Contains(err.Error(), `"Not A Host"`) || !strings.Contains(err.Error(), `"*"`) {
		t.Errorf("SetNames = %v, want both names that are none", err)
	}
	h.wantServed(t, "a.example", "b.example")
}

// TestRenewal lives through two years: every six hours each leaf is one that
// clients accept, with a good part of its life left, and the root stays.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, store.NewMem())
		root := h.ca.RootPEM()
		h.set(t, "a.example", "*.b.example")
		h.run(t)
		for range 2 * 365 * 4 {
			h.pass(6 * time.Hour)
			leaves, _ := h.leaves()
			for _, cert := range leaves {
				if left := cert.Leaf.NotAfter.Sub(h.now()); left < leafLife/4 {
					t.Fatalf("%v left of a leaf", left)
				}
			}
			if h.now().Hour() == 0 && h.now().Weekday() == time.Monday {
				h.wantServed(t, "*.b.example", "a.example")
			}
		}
		h.stop()
		if !bytes.Equal(root, h.ca.RootPEM()) {
			t.Errorf("the root changed")
		}
		// A leaf is replaced 112 2/3 - 1 hours after it was made.
		if _, times := h.leaves(); times < 2*365*24/118 || times > 2*365*24/111+1 {
			t.Errorf("published %d times in two years", times)
		}
	})
}

// TestRenewalTakesTurns: what is old is renewed a batch at a time, what ends
// or has not begun at once.
func TestRenewalTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, store.NewMem())
		names := manyNames(renewBatch + 10)
		h.set(t, names...)
		h.run(t)
		renewed := func() (n int) {
			leaves, _ := h.leaves()
			for _, cert := range leaves {
				if h.now().Sub(cert.Leaf.NotBefore) < 3*time.Hour {
					n++
				}
			}
			return n
		}
		h.pass(5 * 24 * time.Hour)
		if got := renewed(); got != renewBatch {
			t.Errorf("%d renewed in the first minute, want %d", got, renewBatch)
		}
		h.pass(checkEvery)
		if got := renewed(); got != len(names) {
			t.Errorf("%d renewed in two minutes, want all %d", got, len(names))
		}
		h.pass(8 * 24 * time.Hour)
		if got := renewed(); got != len(names) {
			t.Errorf("%d renewed when all had ended, want all %d", got, len(names))
		}
		h.stop()
	})
}

func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{30 * 24 * time.Hour, -30 * 24 * time.Hour, 300 * 24 * time.Hour, -300 * 24 * time.Hour, 6 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, store.NewMem())
				h.set(t, "a.example")
				h.run(t)
				root := h.ca.RootPEM()
				for _, moved := range []time.Duration{jump, 0, jump, 0} {
					h.clock.Store(int64(moved))
					h.pass(checkEvery)
					// The root begins when it began: it alone can be too young.
					if moved >= 0 {
						h.wantServed(t, "a.example")
					}
					leaves, _ := h.leaves()
					if leaf := leaves[0].Leaf; !serves(leaf, h.now()) || !serves(h.ca.current.Load().intermediate.cert, h.now()) {
						t.Errorf("a minute after the jump the leaf is from %v to %v, now is %v", leaf.NotBefore, leaf.NotAfter, h.now())
					}
				}
				h.stop()
				if !bytes.Equal(root, h.ca.RootPEM()) {
					t.Errorf("the root changed")
				}
			})
		})
	}
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &storetest.Failing{Store: store.NewMem()}
		h := newHouse(t, failing)
		failing.Fail(errors.New("no space left on device"))
		h.run(t)
		h.set(t, manyNames(20)...)
		for range 20 {
			h.pass(20 * 24 * time.Hour) // in the end past the intermediate's life
			h.wantServed(t, manyNames(20)...)
		}
		if !strings.Contains(h.log.String(), "no space left on device") {
			t.Errorf("the log does not say why nothing is saved: %s", &h.log)
		}
		if n := strings.Count(h.log.String(), "are not saved"); n != 1 {
			t.Errorf("the log says %d times that nothing is saved, want once: %s", n, &h.log)
		}
		failing.Fail(nil)
		h.pass(checkEvery)
		h.stop()
		if got := len(storedNames(t, h)); got != 20 {
			t.Errorf("%d leaves stored once there is room, want 20", got)
		}
	})
}

// TestNamesWhileRenewing lets SetNames race with renewals: the last set that
// is published is the last set that was asked for.
func TestNamesWhileRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, store.NewMem())
		h.run(t)
		defer h.stop()
		for i := range 60 {
			names := manyNames(i%7 + 1)
			go h.keeper.SetNames(t.Context(), names)
			h.pass(120 * time.Hour) // all are due at the next look
			h.wantServed(t, names...)
		}
	})
}

func BenchmarkSetNames10k(b *testing.B) {
	names := manyNames(10_000)
	ca, err := Open(b.Context(), store.NewMem(), discard(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		k := NewKeeper(ca, discard(), func([]*tls.Certificate) {})
		if err := k.SetNames(b.Context(), names); err != nil {
			b.Fatal(err)
		}
	}
}

// manyNames returns n names, sorted.
func manyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("t%06d.hosted.example", i)
	}
	return names
}

package localca

import (
	"crypto/tls"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
)

func TestRestartIssuesNothingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := sealed(t, store.NewMem(), 1)
		names := manyNames(60)
		first := newHouse(t, mem)
		first.run(t)
		first.set(t, names...)
		first.stop() // saves what it had not yet
		time.Sleep(24 * time.Hour)
		second := newHouse(t, mem)
		second.set(t, names[:40]...)
		second.wantServed(t, names[:40]...)
		before, after := first.serials(), second.serials()
		for _, name := range names[:40] {
			if before[name] != after[name] {
				t.Errorf("%s was issued again", name)
			}
		}
		// What is not wanted any more leaves the store.
		second.run(t)
		second.stop()
		if got := len(storedNames(t, second)); got != 40 {
			t.Errorf("%d leaves stored, want 40", got)
		}
		second.set(t)
		second.run(t)
		second.stop()
		if keys, err := mem.List(t.Context(), leavesPrefix); err != nil || len(keys) != 0 {
			t.Errorf("keys %q, %v; want none", keys, err)
		}
	})
}

func TestRestartAfterAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := store.NewMem()
		first := newHouse(t, mem)
		first.run(t)
		first.set(t, "a.example")
		first.stop()
		time.Sleep(8 * 24 * time.Hour)
		second := newHouse(t, mem)
		second.set(t, "a.example")
		second.wantServed(t, "a.example")
	})
}

func TestDamagedLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := store.NewMem()
		first := newHouse(t, mem)
		first.run(t)
		first.set(t, "a.example", "b.example", "c.example")
		first.stop()
		put(t, mem, shardOf("a.example").key(), "rubbish")
		put(t, mem, shardOf("b.example").key(), blob(t, mem, shardOf("c.example").key()))
		put(t, mem, leavesPrefix+"not-a-shard", "rubbish")
		second := newHouse(t, mem)
		second.set(t, "a.example", "b.example", "c.example")
		second.wantServed(t, "a.example", "b.example", "c.example")
		if !strings.Contains(second.log.String(), "damaged state set aside") {
			t.Errorf("the log does not name the damage: %s", &second.log)
		}
		if first.serials()["c.example"] != second.serials()["c.example"] {
			t.Errorf("the leaf that was whole was issued again")
		}
		second.run(t)
		second.stop()
		if got := len(storedNames(t, second)); got != 3 {
			t.Errorf("%d leaves stored, want 3", got)
		}
	})
}

func TestNewRootIssuesAllAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := store.NewMem()
		first := newHouse(t, mem)
		first.run(t)
		first.set(t, "a.example")
		first.stop()
		put(t, mem, rootKey, "rubbish")
		second := newHouse(t, mem)
		second.set(t, "a.example")
		second.wantServed(t, "a.example")
	})
}

func BenchmarkRestart10k(b *testing.B) {
	names := manyNames(10_000)
	mem := store.NewMem()
	ca, err := Open(b.Context(), mem, discard(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	k := NewKeeper(ca, discard(), func([]*tls.Certificate) {})
	if err := k.SetNames(b.Context(), names); err != nil {
		b.Fatal(err)
	}
	k.save(b.Context())
	for b.Loop() {
		k := NewKeeper(ca, discard(), func([]*tls.Certificate) {})
		if err := k.SetNames(b.Context(), names); err != nil {
			b.Fatal(err)
		}
	}
}

func storedNames(t *testing.T, h *house) []string {
	t.Helper()
	keys, err := h.store.List(t.Context(), leavesPrefix)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, key := range keys {
		if key == leavesPrefix+"not-a-shard" {
			continue
		}
		pairs, err := parsePairs([]byte(blob(t, h.store, key)))
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
		for _, pair := range pairs {
			names = append(names, nameOf(pair))
		}
	}
	return names
}

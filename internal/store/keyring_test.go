package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestKeyringOfSeveralKeys(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return ring(t, store.NewMem(), 1, 2, 3) })
}

func TestKeyringOpensWhatItsKeysSealed(t *testing.T) {
	mem := store.NewMem()
	mustPut(t, ring(t, mem, 1), "a", "first")
	mustPut(t, ring(t, mem, 2), "b", "second")
	both := ring(t, mem, 3, 1, 2)
	mustPut(t, both, "c", "third")
	for key, want := range map[string]string{"a": "first", "b": "second", "c": "third"} {
		if got := mustGet(t, both, key); string(got) != want {
			t.Errorf("Get(%s) = %q, want %q", key, got, want)
		}
	}
	if got := mustGet(t, ring(t, mem, 3), "c"); string(got) != "third" {
		t.Errorf("what the first key sealed is %q under it alone", got)
	}
	wantForeign(t, ring(t, mem, 3), "a", 1)
}

// wantForeign wants the blob to name the key that would open it.
func wantForeign(t *testing.T, s store.Store, key string, seed byte) {
	t.Helper()
	_, err := s.Get(t.Context(), key)
	var foreign *store.ForeignError
	if !errors.As(err, &foreign) || foreign.SealKey != idOf(t, seed) {
		t.Errorf("Get(%s) = %v, want a ForeignError that names key %s", key, err, idOf(t, seed))
	}
}

func TestKeyringKeys(t *testing.T) {
	mem := store.NewMem()
	if _, err := store.Seal(mem); err == nil {
		t.Error("Seal takes no key at all")
	}
	many := make([][]byte, store.MaxKeys+1)
	for i := range many {
		many[i] = testKey(byte(i))
	}
	if _, err := store.Seal(mem, many...); err == nil {
		t.Error("Seal takes more than MaxKeys keys")
	}
	k := ring(t, mem, 1)
	if err := k.SetKeys(testKey(2), []byte("short")); err == nil {
		t.Error("SetKeys takes a key of five bytes")
	}
	mustPut(t, k, "a", "still the former ring")
	if got := mustGet(t, ring(t, mem, 1), "a"); string(got) != "still the former ring" {
		t.Errorf("after a refused SetKeys: %q", got)
	}
}

func TestResealPutsAllUnderTheFirstKey(t *testing.T) {
	mem := store.NewMem()
	former := ring(t, mem, 1)
	for i := range 10 {
		mustPut(t, former, fmt.Sprintf("blob/%d", i), fmt.Sprint(i))
	}
	mustPut(t, mem, "damaged", "no blob at all")
	mustPut(t, ring(t, mem, 9), "foreign", "x")
	k := ring(t, mem, 2, 1)
	mustPut(t, k, "new", "already")

	steps := 0
	got, err := k.Reseal(t.Context(), func(store.Resealed) { steps++ })
	if err != nil || got.Blobs != 13 || got.Looked != 13 || got.Sealed != 10 || got.Shut != 2 || steps != 13 {
		t.Errorf("Reseal = %+v, %v in %d steps; want 10 of 13 sealed and 2 shut", got, err, steps)
	}
	if want := []string{"damaged", "foreign"}; fmt.Sprint(got.Names) != fmt.Sprint(want) {
		t.Errorf("shut: %q, want %q", got.Names, want)
	}
	alone := ring(t, mem, 2)
	for i := range 10 {
		if value := mustGet(t, alone, fmt.Sprintf("blob/%d", i)); string(value) != fmt.Sprint(i) {
			t.Errorf("blob %d is %q under the new key alone", i, value)
		}
	}
	census, err := k.Census(t.Context())
	if err != nil || census.Blobs != 13 || census.Damaged != 1 || census.ByKey[idOf(t, 2)] != 11 || census.ByKey[idOf(t, 9)] != 1 {
		t.Errorf("Census = %+v, %v", census, err)
	}
	if again, err := k.Reseal(t.Context(), func(store.Resealed) {}); err != nil || again.Sealed != 0 {
		t.Errorf("Reseal again = %+v, %v; want nothing sealed", again, err)
	}
}

// TestResealKilledAtEveryCall ends the work at each call of the store in turn,
// before it and after it, and opens everything as a new start would.
func TestResealKilledAtEveryCall(t *testing.T) {
	for n := 1; ; n++ {
		for _, after := range []bool{false, true} {
			mem := store.NewMem()
			former := ring(t, mem, 1)
			for _, name := range []string{"a", "b/c", "d"} {
				mustPut(t, former, name, name)
			}
			dying := &storetest.Dying{Store: mem, Calls: n, After: after}
			_, err := ring(t, dying, 2, 1).Reseal(t.Context(), func(store.Resealed) {})
			for _, name := range []string{"a", "b/c", "d"} {
				if got := mustGet(t, ring(t, mem, 2, 1), name); string(got) != name {
					t.Errorf("killed at call %d: %s is %q", n, name, got)
				}
			}
			if err == nil && !after {
				if n < 8 {
					t.Errorf("the work took %d calls; a list, and two for each of three blobs were expected", n-1)
				}
				return
			}
		}
	}
}

// TestResealLosesNoWrite writes and deletes while everything is sealed anew,
// again and again: what was written last is what is there.
func TestResealLosesNoWrite(t *testing.T) {
	mem := store.NewMem()
	k := ring(t, mem, 1)
	const blobs, rounds = 8, 60
	var writers sync.WaitGroup
	for i := range blobs {
		name := fmt.Sprintf("blob/%d", i)
		writers.Go(func() {
			for round := range rounds {
				if err := k.Put(context.Background(), name, []byte(fmt.Sprint(round))); err != nil {
					t.Error(err)
				}
				value, err := k.Get(context.Background(), name)
				if err != nil || string(value) != fmt.Sprint(round) {
					t.Errorf("%s is %q, %v; want %d", name, value, err, round)
				}
				if round%7 == 3 {
					if err := k.Delete(context.Background(), name); err != nil {
						t.Error(err)
					}
					if _, err := k.Get(context.Background(), name); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("%s came back after it was deleted: %v", name, err)
					}
				}
			}
		})
	}
	for round := range 30 {
		next, now := testKey(byte(round+2)), testKey(byte(round+1))
		for _, step := range []func() error{
			func() error { return k.SetKeys(next, now) },
			func() error { _, err := k.Reseal(t.Context(), func(store.Resealed) {}); return err },
			func() error { return k.SetKeys(next) },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	writers.Wait()
}

func TestResealStopsAtAFullDisk(t *testing.T) {
	mem := store.NewMem()
	mustPut(t, ring(t, mem, 1), "a", "value")
	failing := &storetest.Failing{Store: mem}
	full := errors.New("no space left on device")
	failing.Fail(full)
	k := ring(t, failing, 2, 1)
	if _, err := k.Reseal(t.Context(), func(store.Resealed) {}); !errors.Is(err, full) {
		t.Errorf("Reseal = %v, want %v", err, full)
	}
	if got := mustGet(t, k, "a"); string(got) != "value" {
		t.Errorf("a is %q", got)
	}
}

func ring(t *testing.T, inner store.Store, seeds ...byte) *store.Keyring {
	t.Helper()
	keys := make([][]byte, 0, len(seeds))
	for _, seed := range seeds {
		keys = append(keys, testKey(seed))
	}
	k, err := store.Seal(inner, keys...)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		clear(key) // it is not kept
	}
	return k
}

func idOf(t *testing.T, seed byte) string {
	t.Helper()
	id, err := store.KeyID(testKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func BenchmarkReseal(b *testing.B) {
	mem := store.NewMem()
	k, err := store.Seal(mem, testKey(0))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if err := k.Put(b.Context(), fmt.Sprintf("certs/%d", i), bytes.Repeat([]byte("x"), 4096)); err != nil {
			b.Fatal(err)
		}
	}
	for round := byte(1); b.Loop(); round++ {
		if err := k.SetKeys(testKey(round), testKey(round-1)); err != nil {
			b.Fatal(err)
		}
		if _, err := k.Reseal(b.Context(), func(store.Resealed) {}); err != nil {
			b.Fatal(err)
		}
	}
}

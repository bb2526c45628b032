package storetest_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// A dying store stops at its call, with or without that call's effect, and
// stays dead whatever is called.
func TestDying(t *testing.T) {
	for _, after := range []bool{false, true} {
		inner := store.NewMem()
		d := &storetest.Dying{Store: inner, Calls: 2, After: after}
		ctx := t.Context()
		if err := d.Put(ctx, "one", nil); err != nil || d.Dead() {
			t.Fatalf("after %t: the first call: %v, dead %t", after, err, d.Dead())
		}
		if err := d.Put(ctx, "two", nil); !errors.Is(err, storetest.ErrDead) || !d.Dead() {
			t.Errorf("after %t: the second call: %v, dead %t", after, err, d.Dead())
		}
		for name, call := range calls(ctx, d) {
			if err := call(); !errors.Is(err, storetest.ErrDead) {
				t.Errorf("after %t: %s of a dead store: %v", after, name, err)
			}
		}
		want := []string{"one"}
		if after {
			want = append(want, "two")
		}
		if got, err := inner.List(ctx, ""); err != nil || !slices.Equal(got, want) {
			t.Errorf("after %t: below lie %q, %v; want %q", after, got, err, want)
		}
	}
}

// A failing store refuses what writes, while it is told to, and reads.
func TestFailing(t *testing.T) {
	full := errors.New("no space left")
	inner := store.NewMem()
	f := &storetest.Failing{Store: inner}
	ctx := t.Context()
	if err := f.Put(ctx, "one", []byte("1")); err != nil {
		t.Fatal(err)
	}
	f.Fail(full)
	for name, call := range calls(ctx, f) {
		var want error
		if name != "Get" && name != "List" {
			want = full
		}
		if err := call(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f.Fail(nil)
	if err := f.Delete(ctx, "one"); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
}

// calls are all calls of a store, by name.
func calls(ctx context.Context, s store.Store) map[string]func() error {
	return map[string]func() error{
		"Get":      func() error { _, err := s.Get(ctx, "one"); return err },
		"Put":      func() error { return s.Put(ctx, "three", nil) },
		"Delete":   func() error { return s.Delete(ctx, "one") },
		"List":     func() error { _, err := s.List(ctx, ""); return err },
		"SetAside": func() error { _, err := s.SetAside(ctx, "one"); return err },
	}
}

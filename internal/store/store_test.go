package store_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestMem(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.NewMem() })
}

func TestSealedMem(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return seal(t, store.NewMem(), testKey(1)) })
}

func TestFailingThatDoesNotFail(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return &storetest.Failing{Store: store.NewMem()} })
}

func FuzzCheckKey(f *testing.F) {
	for _, seed := range []string{"", "a", "ca/root", "certs/*.acme.example", "a//b", "../x", "a/.", ".a", "a/" + strings.Repeat("b", 254)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		err := store.CheckKey(key)
		if err != nil && !errors.Is(err, store.ErrKey) {
			t.Fatalf("CheckKey(%q) = %v, which is not an ErrKey", key, err)
		}
		if got := slowIsKey(key); got != (err == nil) {
			t.Fatalf("CheckKey(%q) = %v, the slow twin says %v", key, err, got)
		}
		if err != nil {
			return
		}
		for i := range key {
			if err := store.CheckPrefix(key[:i]); err != nil {
				t.Fatalf("CheckPrefix(%q) = %v, and it is the beginning of the key %q", key[:i], err, key)
			}
		}
	})
}

// slowIsKey is CheckKey written as its comment.
func slowIsKey(key string) bool {
	if len(key) > 512 {
		return false
	}
	for _, segment := range strings.Split(key, "/") {
		if segment == "" || segment == "." || segment == ".." || len(segment) > 253 ||
			strings.Trim(segment, "abcdefghijklmnopqrstuvwxyz0123456789._-*@") != "" {
			return false
		}
		for _, r := range segment {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789._-*@", r) {
				return false
			}
		}
	}
	return true
}

func TestReadOrSetAside(t *testing.T) {
	mem := store.NewMem()
	s := seal(t, mem, testKey(1))
	mustPut(t, s, "good", "value")
	mustPut(t, mem, "bad", "not sealed at all")
	mustPut(t, seal(t, mem, testKey(2)), "foreign", "value")
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))

	if value, err := store.ReadOrSetAside(t.Context(), s, log, "good"); err != nil || string(value) != "value" {
		t.Errorf("good: %q, %v; want value", value, err)
	}
	if _, err := store.ReadOrSetAside(t.Context(), s, log, "absent"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("absent: %v, want ErrNotFound", err)
	}
	if _, err := store.ReadOrSetAside(t.Context(), s, log, "foreign"); !errors.Is(err, store.ErrForeign) {
		t.Errorf("foreign: %v, want ErrForeign", err)
	}
	if text.Len() > 0 {
		t.Errorf("logged without damage: %s", &text)
	}
	if _, err := store.ReadOrSetAside(t.Context(), s, log, "bad"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("bad: %v, want ErrNotFound", err)
	}
	for _, want := range []string{"key=bad", "moved_to=damaged/bad-1", "not a sealed blob"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the log does not say %q: %s", want, &text)
		}
	}
	if keys, _ := s.List(t.Context(), ""); len(keys) != 2 {
		t.Errorf("keys left: %q, want good and foreign", keys)
	}
}

func TestReadOrSetAsideOnADiskThatRefuses(t *testing.T) {
	mem := store.NewMem()
	mustPut(t, mem, "bad", "not sealed at all")
	failing := &storetest.Failing{Store: mem}
	full := errors.New("no space left on device")
	failing.Fail(full)
	_, err := store.ReadOrSetAside(t.Context(), seal(t, failing, testKey(1)), slog.New(slog.DiscardHandler), "bad")
	if !errors.Is(err, store.ErrDamaged) || !errors.Is(err, full) {
		t.Errorf("ReadOrSetAside = %v, want the damage and why it stays", err)
	}
}

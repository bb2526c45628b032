package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/store"
)

// Run executes the specification of store.Store. open returns an empty store,
// a new one each time, and cleans up after itself through t.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"values", testValues},
		{"absent", testAbsent},
		{"list", testList},
		{"key and folder of one name", testKeyAndFolder},
		{"keys refused", testKeysRefused},
		{"longest keys", testLongestKeys},
		{"large values", testLargeValues},
		{"slices belong to the caller", testSlices},
		{"done context", testDoneContext},
		{"set aside", testSetAside},
		{"concurrent", testConcurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testValues(t *testing.T, s store.Store) {
	const key = "ca/root"
	for _, want := range []string{"first", "", "a longer second value", "\x00\xff\n", "short"} {
		put(t, s, key, want)
		if got := get(t, s, key); got != want {
			t.Errorf("Get(%q) = %q, want %q", key, got, want)
		}
	}
	if err := s.Delete(t.Context(), key); err != nil {
		t.Errorf("Delete(%q) = %v, want nil", key, err)
	}
	wantAbsent(t, s, key)
}

func testAbsent(t *testing.T, s store.Store) {
	put(t, s, "a/b", "x")
	for _, key := range []string{"absent", "a", "a/c", "a/b/c", "no/such/folder"} {
		wantAbsent(t, s, key)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q) = %v, want nil", key, err)
		}
		if _, err := s.SetAside(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("SetAside(%q) = %v, want ErrNotFound", key, err)
		}
	}
	if got := get(t, s, "a/b"); got != "x" {
		t.Errorf("Get(a/b) = %q after deleting its neighbours, want x", got)
	}
}

func testList(t *testing.T, s store.Store) {
	wantList(t, s, "", nil)
	all := []string{"a", "a-b", "a.b", "a/b", "a/b/c", "ab", "certs/*.acme.example", "certs/ops@acme.example", "z_9"}
	for i := range all {
		put(t, s, all[len(all)-1-i], "x")
	}
	for _, test := range []struct {
		prefix string
		want   []string
	}{
		{"", all},
		{"a", all[:6]},
		{"a/", []string{"a/b", "a/b/c"}},
		{"a/b", []string{"a/b", "a/b/c"}},
		{"a/b/", []string{"a/b/c"}},
		{"a/b/c/", nil},
		{"certs/", all[6:8]},
		{"certs/*", all[6:7]},
		{"certs/o", all[7:8]},
		{"nothing", nil},
		{"no/such/", nil},
		{"z_9/.", nil},
	} {
		wantList(t, s, test.prefix, test.want)
	}
	for _, key := range all {
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatalf("Delete(%q): %v", key, err)
		}
	}
	wantList(t, s, "", nil)
}

func testKeyAndFolder(t *testing.T, s store.Store) {
	for _, key := range []string{"a/b/c", "a", "a/b"} {
		put(t, s, key, key)
	}
	for _, key := range []string{"a", "a/b/c", "a/b"} {
		if got := get(t, s, key); got != key {
			t.Errorf("Get(%q) = %q, want its own name", key, got)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
		wantAbsent(t, s, key)
	}
}

func testKeysRefused(t *testing.T, s store.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "A", "a b", "a~", "a\\b", "a\x00", "ä", "a+b", "a:b", "a%2fb",
		strings.Repeat("a", store.MaxSegmentBytes+1), strings.Repeat("a/", store.MaxKeyBytes/2) + "a",
	} {
		ctx := t.Context()
		_, getErr := s.Get(ctx, key)
		_, asideErr := s.SetAside(ctx, key)
		for method, err := range map[string]error{
			"Get": getErr, "Put": s.Put(ctx, key, nil), "Delete": s.Delete(ctx, key), "SetAside": asideErr,
		} {
			if !errors.Is(err, store.ErrKey) {
				t.Errorf("%s(%q) = %v, want ErrKey", method, key, err)
			}
		}
	}
	for _, prefix := range []string{"/", "a//", "../", "A", "a~"} {
		if _, err := s.List(t.Context(), prefix); !errors.Is(err, store.ErrKey) {
			t.Errorf("List(%q) = %v, want ErrKey", prefix, err)
		}
	}
}

func testLongestKeys(t *testing.T, s store.Store) {
	for _, key := range []string{
		strings.Repeat("a", store.MaxSegmentBytes),
		strings.Repeat("b", store.MaxSegmentBytes) + "/" + strings.Repeat("c", store.MaxSegmentBytes),
		strings.Repeat("d/", (store.MaxKeyBytes-1)/2) + "d",
	} {
		put(t, s, key, "x")
		if got := get(t, s, key); got != "x" {
			t.Errorf("Get(%q) = %q, want x", key, got)
		}
		wantList(t, s, key, []string{key})
		if _, err := s.SetAside(t.Context(), key); err != nil {
			t.Errorf("SetAside(%q) = %v, want nil", key, err)
		}
		wantAbsent(t, s, key)
	}
}

func testLargeValues(t *testing.T, s store.Store) {
	largest := strings.Repeat("v", store.MaxValueBytes)
	put(t, s, "large", largest)
	if get(t, s, "large") != largest {
		t.Errorf("a value of MaxValueBytes does not come back")
	}
	err := s.Put(t.Context(), "large", make([]byte, store.MaxBlobBytes+1))
	if !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Put of MaxBlobBytes+1 = %v, want ErrTooLarge", err)
	}
	if get(t, s, "large") != largest {
		t.Errorf("the former value did not stay after ErrTooLarge")
	}
}

func testSlices(t *testing.T, s store.Store) {
	value := []byte("value")
	if err := s.Put(t.Context(), "k", value); err != nil {
		t.Fatal(err)
	}
	clear(value)
	got, err := s.Get(t.Context(), "k")
	if err != nil || string(got) != "value" {
		t.Fatalf("Get = %q, %v after the caller changed what it had put; want value", got, err)
	}
	clear(got)
	if got := get(t, s, "k"); got != "value" {
		t.Errorf("Get = %q after the caller changed what it had got; want value", got)
	}
}

func testDoneContext(t *testing.T, s store.Store) {
	put(t, s, "k", "v")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, getErr := s.Get(ctx, "k")
	_, listErr := s.List(ctx, "")
	_, asideErr := s.SetAside(ctx, "k")
	for method, err := range map[string]error{
		"Get": getErr, "Put": s.Put(ctx, "k", nil), "Delete": s.Delete(ctx, "k"), "List": listErr, "SetAside": asideErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v, want context.Canceled", method, err)
		}
	}
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("Get = %q, want the untouched v", got)
	}
}

func testSetAside(t *testing.T, s store.Store) {
	names := make(map[string]bool)
	for i := range 3 {
		put(t, s, "a/b", fmt.Sprint(i))
		put(t, s, "a/c", "neighbour")
		name, err := s.SetAside(t.Context(), "a/b")
		if err != nil || name == "" || names[name] {
			t.Fatalf("SetAside = %q, %v; want a new name", name, err)
		}
		names[name] = true
		wantAbsent(t, s, "a/b")
		wantList(t, s, "", []string{"a/c"})
	}
	for range 100 { // more than any driver keeps
		put(t, s, "a/b", "x")
		if _, err := s.SetAside(t.Context(), "a/b"); err != nil {
			t.Fatalf("SetAside: %v", err)
		}
	}
}

// testConcurrent lets writers of whole values race with everything else: what
// is read is one of the values, never a mixture.
func testConcurrent(t *testing.T, s store.Store) {
	const writers, rounds = 4, 25
	values := make([]string, writers)
	for i := range values {
		values[i] = strings.Repeat(string(rune('a'+i)), 3000*(i+1))
	}
	var group sync.WaitGroup
	for _, value := range values {
		group.Go(func() {
			for range rounds {
				if err := s.Put(t.Context(), "shared/key", []byte(value)); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
		group.Go(func() {
			for range rounds {
				wantOneOf(t, s, values)
				if _, err := s.List(t.Context(), "shared/"); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	group.Go(func() {
		for range rounds / 5 {
			if err := s.Delete(t.Context(), "shared/key"); err != nil {
				t.Errorf("Delete: %v", err)
			}
		}
	})
	group.Wait()
}

func wantOneOf(t *testing.T, s store.Store, values []string) {
	got, err := s.Get(t.Context(), "shared/key")
	if errors.Is(err, store.ErrNotFound) {
		return
	}
	if err != nil {
		t.Errorf("Get: %v", err)
		return
	}
	for _, value := range values {
		if bytes.Equal(got, []byte(value)) {
			return
		}
	}
	t.Errorf("Get returned %d bytes that nobody put", len(got))
}

func put(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	value, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	return string(value)
}

func wantAbsent(t *testing.T, s store.Store, key string) {
	t.Helper()
	if value, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Get(%q) = %q, %v; want ErrNotFound", key, value, err)
	}
}

func wantList(t *testing.T, s store.Store, prefix string, want []string) {
	t.Helper()
	got, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Errorf("List(%q): %v", prefix, err)
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("List(%q) = %q, want %q", prefix, got, want)
	}
}

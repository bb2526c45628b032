package gateway

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// copiesWorld is copies on a store whose disk can be full.
type copiesWorld struct {
	*copies
	disk storetest.Failing
	said transcript
	stop func()
}

// runCopies runs copies in the bubble of synctest until stop.
func runCopies(t *testing.T) *copiesWorld {
	w := &copiesWorld{}
	w.disk.Store = store.NewMem()
	w.copies = newCopies(&w.disk, w.said.logger())
	w.run(t)
	return w
}

func (w *copiesWorld) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.copies.run(ctx)
	}()
	w.stop = func() {
		cancel()
		<-done
	}
}

// want compares what the store holds with "tenant=text" words.
func (w *copiesWorld) want(t *testing.T, when string, copies ...string) {
	t.Helper()
	synctest.Wait()
	keys, err := w.disk.List(t.Context(), "")
	must(t, err)
	got := []string{}
	for _, key := range keys {
		text, err := w.disk.Get(t.Context(), key)
		must(t, err)
		got = append(got, strings.TrimPrefix(key, copiesPrefix)+"="+string(text))
	}
	if !slices.Equal(got, append([]string{}, copies...)) {
		t.Errorf("%s: kept %q, want %q", when, got, copies)
	}
}

func texts(tenantsAndTexts ...string) map[string][]byte {
	m := make(map[string][]byte)
	for i := 0; i < len(tenantsAndTexts); i += 2 {
		m[tenantsAndTexts[i]] = []byte(tenantsAndTexts[i+1])
	}
	return m
}

// TestCopies: what is in force is kept, what is deleted goes.
func TestCopies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runCopies(t)
		w.keep(texts("acme", "one", "globex", "one"), nil)
		w.want(t, "two tenants", "acme=one", "globex=one")
		w.keep(texts("acme", "two"), []string{"globex"})
		w.want(t, "one changed and one gone", "acme=two")
		if text, ok := w.text(t.Context(), "acme"); !ok || string(text) != "two" {
			t.Errorf("text(acme) = %q, %v", text, ok)
		}
		if text, ok := w.text(t.Context(), "globex"); ok {
			t.Errorf("text(globex) = %q, want none", text)
		}
		w.stop()
		if said := w.said.take(); said != "" {
			t.Errorf("said %s", said)
		}
	})
}

// TestCopiesFullDisk: what could not be written is tried again, with the text
// of then, and that is said once.
func TestCopiesFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runCopies(t)
		w.keep(texts("acme", "one", "globex", "one"), nil)
		w.want(t, "at first", "acme=one", "globex=one")
		w.disk.Fail(syscall.ENOSPC)
		w.keep(texts("acme", "two"), []string{"globex"})
		w.want(t, "on a full disk", "acme=one", "globex=one")
		wantContains(t, w.said.take(), "level=ERROR", "not kept", "tenants=2", "no space left on device")
		w.keep(texts("acme", "three"), nil)
		<-time.After(3 * copiesRetryTime)
		w.want(t, "still full", "acme=one", "globex=one")
		if said := w.said.take(); said != "" {
			t.Errorf("said again: %s", said)
		}
		w.disk.Fail(nil)
		<-time.After(copiesRetryTime)
		w.want(t, "with room again", "acme=three")
		wantContains(t, w.said.take(), "kept again")
		w.stop()
	})
}

// TestCopiesAtTheEnd: what is pending when the process goes down is written; a
// disk that does not take it holds nobody up.
func TestCopiesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runCopies(t)
		w.disk.Fail(syscall.ENOSPC)
		w.keep(texts("acme", "one"), nil)
		synctest.Wait()
		w.disk.Fail(nil)
		w.stop()
		w.want(t, "after the end", "acme=one")

		w.run(t)
		w.disk.Fail(syscall.ENOSPC)
		w.keep(texts("acme", "two"), nil)
		start := time.Now()
		w.stop()
		if took := time.Since(start); took > lastCopiesTime {
			t.Errorf("going down on a full disk took %v", took)
		}
		w.want(t, "after an end on a full disk", "acme=one")
	})
}

// TestCopiesKeepOnly: a file that went while no process ran takes its copy with
// it; a folder without any file is no reason.
func TestCopiesKeepOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runCopies(t)
		w.keep(texts("acme", "one", "globex", "one", "initech", "one"), nil)
		w.keepOnly(t.Context(), nil)
		w.want(t, "no files at all", "acme=one", "globex=one", "initech=one")
		w.keepOnly(t.Context(), []string{"globex", "newcomer"})
		w.want(t, "one file of three", "globex=one")
		w.stop()
	})
}

// TestCopiesAreWrittenOnce: a copy that is right is not written again, which
// would cost a sync for each tenant at each start.
func TestCopiesAreWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := runCopies(t)
		w.keep(texts("acme", "one"), nil)
		synctest.Wait()
		w.disk.Fail(errors.New("written"))
		w.keep(texts("acme", "one"), nil)
		synctest.Wait()
		if said := w.said.take(); said != "" {
			t.Errorf("said %s", said)
		}
		w.stop()
	})
}

// TestDamagedCopy: a copy that cannot be read is set aside, and absent.
func TestDamagedCopy(t *testing.T) {
	var said transcript
	mem := store.NewMem()
	sealed, err := store.Seal(mem, []byte("an honest key of 32 random bytes"))
	must(t, err)
	c := newCopies(sealed, said.logger())
	must(t, sealed.Put(t.Context(), copyKey("acme"), []byte("one")))
	if text, ok := c.text(t.Context(), "acme"); !ok || string(text) != "one" {
		t.Errorf("text = %q, %v", text, ok)
	}
	must(t, mem.Put(t.Context(), copyKey("acme"), []byte("not what was written")))
	if text, ok := c.text(t.Context(), "acme"); ok {
		t.Errorf("text of a damaged copy = %q", text)
	}
	if _, err := mem.Get(t.Context(), copyKey("acme")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the damaged copy is still there: %v", err)
	}
	wantContains(t, said.String(), "acme", "damaged")
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/proxy"
)

func testBook(blobs store.Store) *canaryBook {
	return newCanaryBook(blobs, slog.New(slog.DiscardHandler))
}

// What is noted outlives the process, the oldest of too many do not, and what is
// damaged does not keep the gateway from starting.
func TestCanaryBook(t *testing.T) {
	ctx, end := context.WithCancel(context.Background())
	blobs := store.NewMem()
	book := testBook(blobs)
	var parts sync.WaitGroup
	parts.Go(func() { book.run(ctx) })
	for i := range abortsMax + 2 {
		book.Note(proxy.CanaryAbort{Tenant: fmt.Sprint("t", i), Canary: "c", At: time.Unix(1000, 0), Why: "5 of 10"})
	}
	end()
	parts.Wait()
	next := testBook(blobs)
	must(t, next.load(context.Background()))
	if a, ok := next.Find("t2", "c"); !ok || a.Why != "5 of 10" || !a.At.Equal(time.Unix(1000, 0)) {
		t.Errorf("after a restart: %+v, %t", a, ok)
	}
	if _, ok := next.Find("t1", "c"); ok {
		t.Error("more are kept than there may be")
	}
	if _, ok := next.Find("t2", "other"); ok {
		t.Error("another canary is found")
	}
	must(t, blobs.Put(context.Background(), abortsKey, []byte("{")))
	damaged := testBook(blobs)
	must(t, damaged.load(context.Background()))
	if _, ok := damaged.Find("t2", "c"); ok {
		t.Error("what is damaged is read")
	}
}

// TestCanaryBookVersions: the bare list of former programs is read, and what a
// newer one wrote ends the start.
func TestCanaryBookVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"Tenant":"acme","Canary":"c"}]`:                         "",
		`{"version":1,"aborted":[{"Tenant":"acme","Canary":"c"}]}`: "",
		`{"version":2}`: `"canaries/aborted" in the state folder has version 2, this program knows 1`,
	} {
		blobs := store.NewMem()
		must(t, blobs.Put(t.Context(), abortsKey, []byte(text)))
		book := testBook(blobs)
		if err := book.load(t.Context()); err != nil || want != "" {
			wantContains(t, fmt.Sprint(err), want)
			continue
		}
		if _, ok := book.Find("acme", "c"); !ok {
			t.Errorf("%s is not read", text)
		}
	}
}

// A state folder that takes no writes is asked again, and loses nothing that it
// takes in the end.
func TestCanaryBookIsTriedAgain(t *testing.T) {
	blobs := &refusing{Store: store.NewMem(), refuse: true}
	book := testBook(blobs)
	book.Note(proxy.CanaryAbort{Tenant: "acme", Canary: "c"})
	if book.write(context.Background()) {
		t.Fatal("a write that was refused counts as one")
	}
	blobs.refuse = false
	if !book.write(context.Background()) {
		t.Fatal("the write is refused")
	}
	next := testBook(blobs)
	must(t, next.load(context.Background()))
	if _, ok := next.Find("acme", "c"); !ok {
		t.Error("it is not kept")
	}
}

type refusing struct {
	store.Store
	refuse bool
}

func (r *refusing) Put(ctx context.Context, key string, value []byte) error {
	if r.refuse {
		return errors.New("no space left on device")
	}
	return r.Store.Put(ctx, key, value)
}

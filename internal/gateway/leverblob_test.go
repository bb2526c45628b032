package gateway

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tenancy"
)

// TestLeverBookReads: damage to one of the two blobs costs no order, what is
// lost is told, and what cannot be read otherwise keeps the gateway from
// starting.
func TestLeverBookReads(t *testing.T) {
	t.Parallel()
	sound := suspended(t, "acme")
	for name, c := range map[string]struct {
		book, copied string // "" for none
		want         string // the tenant that is suspended
		note, err    string
	}{
		"nothing":             {},
		"sound":               {book: sound, copied: sound, want: "acme"},
		"no copy":             {book: sound, want: "acme"},
		"without a version":   {book: `{"suspended":{"acme":{"by":"uid 0","at":"2026-01-01T00:00:00Z"}}}`, want: "acme"},
		"another copy":        {book: sound, copied: suspended(t, "globex"), want: "acme"},
		"damaged copy":        {book: sound, copied: "{", want: "acme"},
		"damaged":             {book: "{", copied: sound, want: "acme", note: "was damaged (set aside as damaged/levers-1) and was read from its copy"},
		"gone":                {copied: sound, want: "acme", note: "is gone from the state folder and was read from its copy"},
		"damaged, no copy":    {book: "{", note: "is lost: it was damaged (set aside as damaged/levers-1) and has no copy"},
		"both damaged":        {book: "{", copied: "{", note: "its copy was damaged (set aside as damaged/levers.copy-2); whoever was blocked or suspended is let in"},
		"gone, damaged copy":  {copied: "{", note: "is lost: it is gone from the state folder, and its copy was damaged"},
		"newer":               {book: `{"version":2,"suspended":7}`, copied: sound, err: `"levers" in the state folder has version 2, this program knows 1; start the newer gatehouse`},
		"lost before":         {book: `{"version":1,"lost":"it is lost"}`, note: "it is lost"},
		"lost, then damaged":  {book: "{", copied: `{"version":1,"lost":"it is lost"}`, note: "it is lost"},
		"damaged, newer copy": {book: "{", copied: `{"version":2}`, err: "has version 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blobs := store.NewMem()
			for key, text := range map[string]string{leversKey: c.book, leversCopyKey: c.copied} {
				if text != "" {
					must(t, blobs.Put(t.Context(), key, []byte(text)))
				}
			}
			var log transcript
			b := newLeverBook(blobs, log.logger())
			if err := b.load(t.Context()); err != nil || c.err != "" {
				if err == nil {
					t.Fatal("it is read")
				}
				wantContains(t, err.Error(), "cannot be read", c.err)
				return
			}
			wantLost(t, b, log.String(), c.note)
			if _, ok := b.orders().Suspended[c.want]; ok != (c.want != "") || len(b.orders().Suspended) > 1 {
				t.Errorf("suspended are %v, want %q", b.orders().Suspended, c.want)
			}
			wantBoth(t, b, blobs)
		})
	}
}

// suspended is the blob of an order.
func suspended(t *testing.T, tenant string) string {
	t.Helper()
	text, err := encodeLevers(tenancy.Levers{Suspended: map[string]tenancy.Order{tenant: {By: "uid 0"}}}, "")
	must(t, err)
	return string(text)
}

// wantLost wants the note in status and at level error, or neither.
func wantLost(t *testing.T, b *leverBook, log, note string) {
	t.Helper()
	if note == "" {
		if notes := b.notes(); len(notes) > 0 || b.hasLost() || strings.Contains(log, "had ordered") {
			t.Errorf("notes %q, log %s", notes, log)
		}
		return
	}
	if !b.hasLost() {
		t.Error("nothing seems lost")
	}
	wantContains(t, strings.Join(b.notes(), "\n"), note)
	wantContains(t, log, "level=ERROR", note)
}

// wantBoth wants the next write to put what is held, and what it was read from,
// into both blobs.
func wantBoth(t *testing.T, b *leverBook, blobs store.Store) {
	t.Helper()
	if !b.write(t.Context()) {
		t.Error("it is not written")
	}
	for _, key := range []string{leversKey, leversCopyKey} {
		text, err := blobs.Get(t.Context(), key)
		if b.text == nil && errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil || string(text) != string(b.text) {
			t.Errorf("%s is %q, %v, want %q", key, text, err, b.text)
		}
	}
}

// TestLeverBookLost: that orders are lost is told at every start until the next
// order.
func TestLeverBookLost(t *testing.T) {
	t.Parallel()
	blobs := store.NewMem()
	must(t, blobs.Put(t.Context(), leversKey, []byte("{")))
	must(t, blobs.Put(t.Context(), leversCopyKey, []byte("{")))
	const note = "what operators had ordered is lost: it was damaged (set aside as damaged/levers-1), and its copy was damaged"
	for range 3 {
		var log transcript
		b := newLeverBook(blobs, log.logger())
		must(t, b.load(t.Context()))
		wantLost(t, b, log.String(), note)
		wantBoth(t, b, blobs)
	}
	b := newLeverBook(blobs, quiet())
	must(t, b.load(t.Context()))
	_, err := b.change(time.Now(), suspendAcme)
	must(t, err)
	wantBoth(t, b, blobs)
	var log transcript
	b = newLeverBook(blobs, log.logger())
	must(t, b.load(t.Context()))
	wantLost(t, b, log.String(), "")
}

// TestLeverBookSealed: a blob that the seal does not open is damage as well, and
// the next order ends the note.
func TestLeverBookSealed(t *testing.T) {
	t.Parallel()
	disk := store.NewMem()
	blobs, err := store.Seal(disk, make([]byte, store.KeyBytes))
	must(t, err)
	b := newLeverBook(blobs, quiet())
	_, err = b.change(time.Now(), suspendAcme)
	must(t, err)
	if !b.write(t.Context()) {
		t.Fatal("it is not written")
	}
	must(t, disk.Put(t.Context(), leversKey, []byte("no blob at all")))
	b = newLeverBook(blobs, quiet())
	must(t, b.load(t.Context()))
	if len(b.orders().Suspended) != 1 || len(b.orders().Blocks) != 1 || !b.hasLost() {
		t.Errorf("%+v is ordered, lost: %v", b.orders(), b.hasLost())
	}
	_, err = b.change(time.Now(), func(*tenancy.Levers) error { return nil })
	must(t, err)
	if b.hasLost() || len(b.notes()) > 0 {
		t.Errorf("notes after an order: %q", b.notes())
	}
}

// TestLeverBookUnreadable: what cannot be read does not count as nothing.
func TestLeverBookUnreadable(t *testing.T) {
	t.Parallel()
	for _, key := range []string{leversKey, leversCopyKey} {
		blobs := &badSector{Store: store.NewMem(), key: key}
		must(t, blobs.Put(t.Context(), leversCopyKey, []byte(suspended(t, "acme"))))
		err := newLeverBook(blobs, quiet()).load(t.Context())
		if err == nil {
			t.Fatalf("%s is read", key)
		}
		wantContains(t, err.Error(), "cannot be read", "input/output error")
	}
}

// badSector is a store one of whose blobs is on a bad part of the disk.
type badSector struct {
	store.Store
	key string
}

func (u *badSector) Get(ctx context.Context, key string) ([]byte, error) {
	if key == u.key {
		return nil, syscall.EIO
	}
	return u.Store.Get(ctx, key)
}

// TestLeversAreNotHTML: a reason takes the bytes that it has.
func TestLeversAreNotHTML(t *testing.T) {
	t.Parallel()
	text, err := encodeLevers(tenancy.Levers{Suspended: map[string]tenancy.Order{"acme": {Why: "<&>"}}}, "")
	must(t, err)
	wantContains(t, string(text), `"<&>"`, `"version":1`)
}

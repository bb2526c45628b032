package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"gatehouse/internal/store"
)

func TestBundles(t *testing.T) {
	mem := store.NewMem()
	all := bundles{mem, testLog(t)}
	for _, name := range []string{"a.example", "*.a.example", "b.example"} {
		err := all.put(t.Context(), &bundle{Name: name, Chain: [][]byte{[]byte(name)}, Key: []byte("key of " + name)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got, err := all.get(t.Context(), "*.a.example"); err != nil || string(got.Key) != "key of *.a.example" {
		t.Errorf("got %v, %v", got, err)
	}
	// A blob that is no bundle, and one that is another's, are set aside.
	for key, blob := range map[string]string{"c.example": "{", "d.example": `{"name":"a.example","chain":["AA=="],"key":"AA=="}`} {
		if err := mem.Put(t.Context(), bundleKey(key), []byte(blob)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := all.all(t.Context())
	if err != nil || len(found) != 3 {
		t.Errorf("%d are found, %v; want 3", len(found), err)
	}
	if keys, _ := mem.List(t.Context(), ""); len(keys) != 3 {
		t.Errorf("the store holds %q; the damaged ones are not set aside", keys)
	}
	if got, err := all.get(t.Context(), "z.example"); got != nil || err != nil {
		t.Errorf("got %v, %v; want nothing", got, err)
	}
}

// TestBundlesSealedByAnother: what another key sealed is left where it is.
func TestBundlesSealedByAnother(t *testing.T) {
	mem := store.NewMem()
	theirs, err := store.Seal(mem, bytes.Repeat([]byte{1}, store.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := store.Seal(mem, bytes.Repeat([]byte{2}, store.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{Name: "a.example", Chain: [][]byte{{1}}, Key: []byte{1}}
	if err := (bundles{theirs, testLog(t)}).put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if _, err := (bundles{ours, testLog(t)}).get(t.Context(), b.Name); !errors.Is(err, store.ErrForeign) {
		t.Errorf("got %v, want ErrForeign", err)
	}
	if keys, _ := mem.List(t.Context(), ""); len(keys) != 1 {
		t.Error("it was set aside")
	}
}

// TestNothingSecretInLogs obtains a certificate with everything logged.
func TestNothingSecretInLogs(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	s.authorities[0].email = "" // no e-mail is fine, too
	var text bytes.Buffer
	mem := store.NewMem()
	e := newEngine(mem, slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug - 4})), time.Now)
	e.configure(s)
	w.answer(t, e.challenges)
	t.Cleanup(e.close)
	b := mustObtain(t, e, ask(s, "logged.hosted.example"))
	if !strings.Contains(text.String(), "part=certmagic") {
		t.Error("certmagic says nothing")
	}
	account := accountIn(t, mem, s.authorities[0])
	for _, secret := range []string{"PRIVATE KEY", fmt.Sprintf("%x", b.Key), fmt.Sprintf("%v", b.Key[:16]), string(b.keyPEM()[40:80]), fmt.Sprintf("%x", account.Key)} {
		if strings.Contains(text.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestZapBridge(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	z := zapTo(log).With(zap.String("who", "us"))
	z.Error("it\nbroke", zap.Int("n", 3), zap.Error(errors.New("why\x1b")), zap.Any("key", struct{ Key []byte }{[]byte("secret")}))
	got := text.String()
	for _, want := range []string{"level=DEBUG", `msg="it broke"`, "who=us", "n=3", "error=why"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	if strings.Contains(got, "key=") || strings.Contains(got, "\x1b") {
		t.Errorf("too much passes: %s", got)
	}
	quiet := zapTo(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if quiet.Core().Enabled(zap.ErrorLevel) {
		t.Error("what nobody reads is written")
	}
}

func TestLocks(t *testing.T) {
	l := new(locks)
	if err := l.lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := l.lock(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
	took := make(chan error)
	go func() { took <- l.lock(t.Context(), "a") }()
	if err := l.unlock("a"); err != nil {
		t.Fatal(err)
	}
	if err := <-took; err != nil {
		t.Error(err)
	}
	if err := errors.Join(l.unlock("a"), l.unlock("b")); err != nil {
		t.Error(err)
	}
	if err := l.unlock("a"); err == nil {
		t.Error("a lock that nobody holds is let go")
	}
}

func BenchmarkLoadBundles(b *testing.B) {
	mem := store.NewMem()
	sealed, err := store.Seal(mem, bytes.Repeat([]byte{1}, store.KeyBytes))
	if err != nil {
		b.Fatal(err)
	}
	all := bundles{sealed, slog.New(slog.DiscardHandler)}
	for i := range 10_000 {
		one := &bundle{Name: fmt.Sprintf("h%d.example", i), Chain: [][]byte{make([]byte, 1000), make([]byte, 1200)}, Key: make([]byte, 138)}
		if err := all.put(b.Context(), one); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if found, err := all.all(b.Context()); err != nil || len(found) != 10_000 {
			b.Fatal(len(found), err)
		}
	}
}

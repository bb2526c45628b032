package acme

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// What one attempt finds out about an authority that does not answer, those
// that were waiting need not find out again; those that begin later do, and an
// attempt may always repeat its own question.
func TestSilenceIsShared(t *testing.T) {
	var dials atomic.Int32
	dead := errors.New("no answer")
	g := &guard{
		now: time.Now, directory: "https://ca.example/directory",
		inner: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, dead
		}},
	}
	ask := func(ctx context.Context, url string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := g.RoundTrip(r); !errors.Is(err, dead) {
			if err == nil {
				res.Body.Close()
			}
			t.Fatalf("%v, want %v", err, dead)
		}
	}
	first, waiting := beginObtaining(t.Context()), beginObtaining(t.Context())
	for _, step := range []struct {
		what string
		ctx  context.Context // nil: it begins now
		url  string
		want int32 // dials so far
	}{
		{"the first asks", first, g.directory, 1},
		{"it asks again", first, g.directory, 2},
		{"one that was waiting has its answer", waiting, g.directory, 2},
		{"it asks something else", waiting, "https://ca.example/nonce", 3},
		{"one that begins later asks", nil, g.directory, 4},
		{"what is no attempt asks", t.Context(), g.directory, 5},
	} {
		if step.ctx == nil {
			step.ctx = beginObtaining(t.Context())
		}
		ask(step.ctx, step.url)
		if got := dials.Load(); got != step.want {
			t.Fatalf("%s: %d dials, want %d", step.what, got, step.want)
		}
	}
}

// An attempt that is called off says nothing about the authority.
func TestSilenceOfTheCalledOff(t *testing.T) {
	g := &guard{now: time.Now, directory: "https://ca.example/directory"}
	waiting := beginObtaining(t.Context())
	ctx, cancel := context.WithCancel(beginObtaining(t.Context()))
	cancel()
	for _, ctx := range []context.Context{ctx, waiting} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, g.directory, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.foundSilent(r); err != nil {
			t.Errorf("found silent: %v", err)
		}
		g.noteSilence(r, context.Canceled)
		if ctx == waiting {
			continue
		}
		if g.silence.Load() != nil {
			t.Error("it was noted")
		}
	}
}

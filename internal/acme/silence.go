package acme

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Every attempt at a certificate begins with the authority's directory, and
// attempts wait for it one behind the other. Where it cannot be read, whoever
// was waiting by then has its answer as well: a hundred orders would otherwise
// find out in turn that an authority accepts connections and says nothing, and
// the last of them an hour later.

// obtaining is one attempt at a certificate.
type obtaining struct {
	began time.Time
}

type obtainingKey struct{}

// beginObtaining returns a context whose exchanges belong to one attempt.
func beginObtaining(ctx context.Context) context.Context {
	return context.WithValue(ctx, obtainingKey{}, &obtaining{began: time.Now()})
}

// silence is how the directory could not be read.
type silence struct {
	at   time.Time
	of   *obtaining // that found out
	fate error
}

// asksDirectory reports whether r is the question that attempts begin with.
func (g *guard) asksDirectory(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.String() == g.directory
}

// foundSilent returns what another attempt has found out since that of r began.
func (g *guard) foundSilent(r *http.Request) error {
	own, _ := r.Context().Value(obtainingKey{}).(*obtaining)
	last := g.silence.Load()
	if own == nil || last == nil || last.of == own || !last.at.After(own.began) || !g.asksDirectory(r) {
		return nil
	}
	return last.fate
}

// noteSilence keeps why r had no answer, unless its attempt was called off.
func (g *guard) noteSilence(r *http.Request, err error) {
	own, _ := r.Context().Value(obtainingKey{}).(*obtaining)
	if own == nil || !g.asksDirectory(r) || errors.Is(r.Context().Err(), context.Canceled) {
		return
	}
	g.silence.Store(&silence{at: time.Now(), of: own, fate: err})
}

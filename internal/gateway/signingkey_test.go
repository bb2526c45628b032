package gateway

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"gatehouse/internal/store"
)

// The key stays the same over restarts, is made anew where what is kept is none,
// and a state folder that cannot be read does not keep the gateway from starting.
func TestSigningKey(t *testing.T) {
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	s := &state{blobs: store.NewMem()}
	first := s.signingKey(ctx, log)
	if first.IsZero() || s.signingKey(ctx, log) != first {
		t.Error("the key is not kept")
	}
	if err := s.blobs.Put(ctx, signingKeyKey, []byte("short")); err != nil {
		t.Fatal(err)
	}
	second := s.signingKey(ctx, log)
	if second.IsZero() || second == first || s.signingKey(ctx, log) != second {
		t.Error("what is no key was not replaced")
	}
	broken := &state{blobs: unreadable{s.blobs}}
	if third := broken.signingKey(ctx, log); third.IsZero() || third == second {
		t.Error("no key while the state cannot be read")
	}
	if s.signingKey(ctx, log) != second {
		t.Error("a key that could not be read was overwritten")
	}
}

type unreadable struct{ store.Store }

func (unreadable) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("input/output error")
}

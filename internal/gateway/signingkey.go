package gateway

import (
	"context"
	"errors"
	"log/slog"

	"gatehouse/internal/store"
	"gatehouse/internal/token"
)

// signingKeyKey is where the key is kept that signs what clients are given to
// bring back. It is never changed: what it signs ends by itself, and is worth
// nothing but a place among backends.
const signingKeyKey = "cookies/key"

// signingKey returns that key, and makes it at the first start. Where it cannot
// be read or kept, what this process signs is forgotten with it; that is no
// reason not to start.
func (s *state) signingKey(ctx context.Context, log *slog.Logger) token.Key {
	raw, err := store.ReadOrSetAside(ctx, s.blobs, log, signingKeyKey)
	if err == nil && len(raw) == token.KeyBytes {
		return token.Key(raw)
	}
	key := token.NewKey()
	if err == nil || errors.Is(err, store.ErrNotFound) {
		err = s.blobs.Put(ctx, signingKeyKey, key[:])
	}
	if err != nil {
		log.WarnContext(ctx, "the key that signs cookies: using one that a restart forgets; clients are then assigned anew", "cause", err)
	}
	return key
}

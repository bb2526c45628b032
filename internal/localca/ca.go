package localca

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/store"
)

// Where the authority rests in the store.
const (
	rootKey         = "ca/root"
	intermediateKey = "ca/intermediate"
)

// CA is the internal certification authority. It is safe for concurrent use.
type CA struct {
	store store.Store
	log   *slog.Logger
	now   func() time.Time

	renewing sync.Mutex // one renewal at a time
	current  atomic.Pointer[chain]
}

// chain is the authority at one time. Both are set once Open has returned.
type chain struct {
	root, intermediate *authority
}

// Open loads the authority from s and makes what is missing, ended or damaged.
// What is damaged is set aside first. A new root is logged with its
// fingerprint: clients must be told to trust it.
//
// A root that the seal key does not open, or that cannot be kept, is an error:
// to go on would mean another root at each start. now is the clock, time.Now
// but for tests.
func Open(ctx context.Context, s store.Store, log *slog.Logger, now func() time.Time) (*CA, error) {
	c := &CA{store: s, log: log, now: now}
	root, err := c.load(ctx, rootKey)
	if err != nil {
		return nil, err
	}
	intermediate, err := c.load(ctx, intermediateKey)
	if err != nil {
		return nil, err
	}
	c.current.Store(&chain{root, intermediate})
	if err := c.renew(ctx); err != nil {
		return nil, err
	}
	c.warnOfRoot(ctx)
	return c, nil
}

// RootPEM returns the certificate of the root, which clients are to trust.
func (c *CA) RootPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: c.current.Load().root.cert.Raw})
}

// load returns nil where key is absent, or was damaged and is set aside now.
func (c *CA) load(ctx context.Context, key string) (*authority, error) {
	text, err := store.ReadOrSetAside(ctx, c.store, c.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	a, err := parseAuthority(text)
	if err == nil {
		return a, nil
	}
	cause := &store.DamagedError{Key: key, Why: err.Error()}
	if err := store.SetAsideDamaged(ctx, c.store, c.log, key, cause); err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	return nil, nil
}

// renew makes a new root where there is none or its life is over, and a new
// intermediate where it is due or another root's.
func (c *CA) renew(ctx context.Context) error {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	next := *c.current.Load()
	now := c.now()
	if next.root == nil || !now.Before(next.root.cert.NotAfter) {
		root, err := c.replaceRoot(ctx, next.root, now)
		if err != nil {
			return fmt.Errorf("internal CA: %w", err)
		}
		next.root = root
	}
	if next.intermediate == nil || !next.intermediate.isSignedBy(next.root) || !serves(next.intermediate.cert, now) {
		intermediate, err := newIntermediate(next.root, now)
		if err != nil {
			return fmt.Errorf("internal CA: %w", err)
		}
		next.intermediate = intermediate
		// Leaves carry the intermediate with them, so one that is not kept
		// serves until the next start makes another.
		if err := c.keep(ctx, intermediateKey, intermediate); err != nil {
			c.log.WarnContext(ctx, "the internal CA's new intermediate is in use but not kept", "cause", err)
		}
	}
	c.current.Store(&next)
	return nil
}

// replaceRoot makes a root and keeps it. A former one, whose time is over by
// our clock, is set aside and not overwritten: the clock may be wrong.
func (c *CA) replaceRoot(ctx context.Context, former *authority, now time.Time) (*authority, error) {
	root, err := newRoot(now)
	if err != nil {
		return nil, err
	}
	if former != nil {
		name, err := c.store.SetAside(ctx, rootKey)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		c.log.WarnContext(ctx, "the internal CA's root has ended", "not_after", former.cert.NotAfter, "moved_to", name)
	}
	if err := c.keep(ctx, rootKey, root); err != nil {
		return nil, err
	}
	fingerprint := sha256.Sum256(root.cert.Raw)
	c.log.WarnContext(ctx, "the internal CA has a new root; clients must trust it",
		"subject", root.cert.Subject.CommonName, "sha256", hex.EncodeToString(fingerprint[:]), "not_after", root.cert.NotAfter)
	return root, nil
}

// warnOfRoot tells in time what only people can do: replace the root where
// clients trust it. One that has not begun is left alone, because most often it
// is our clock that is behind.
func (c *CA) warnOfRoot(ctx context.Context) {
	root, now := c.current.Load().root.cert, c.now()
	if now.Before(root.NotBefore) {
		c.log.WarnContext(ctx, "the internal CA's root is not valid yet; is the clock right?", "not_before", root.NotBefore, "clock", now)
	}
	if now.Add(rootNotice).After(root.NotAfter) {
		c.log.WarnContext(ctx, "the internal CA's root ends soon; then a new one is made, which clients must trust", "not_after", root.NotAfter)
	}
}

func (c *CA) keep(ctx context.Context, key string, a *authority) error {
	text, err := appendPair(nil, a.cert.Raw, a.key)
	if err != nil {
		return err
	}
	return c.store.Put(ctx, key, text)
}

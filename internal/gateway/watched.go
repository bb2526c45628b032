package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
)

// watchedStore tells when the state folder takes no writes: what is new is then
// in memory alone, and nobody would notice before the next start.
type watchedStore struct {
	store.Store
	metrics *metrics.Set
	trouble atomic.Pointer[writeTrouble] // of the last write; nil if it went well
}

// writeTrouble is since when writes fail, and how the last one did.
type writeTrouble struct {
	since time.Time
	err   error
}

// Put implements store.Store.
func (w *watchedStore) Put(ctx context.Context, key string, value []byte) error {
	return w.watch(ctx, w.Store.Put(ctx, key, value))
}

// Delete implements store.Store.
func (w *watchedStore) Delete(ctx context.Context, key string) error {
	return w.watch(ctx, w.Store.Delete(ctx, key))
}

// watch notes how a write ended. A write that its caller gave up, and one of
// something that no store takes, say nothing about the folder.
func (w *watchedStore) watch(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, store.ErrKey) || errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrClosed) {
		return err
	}
	w.metrics.StateWritten(err)
	if err == nil {
		w.trouble.Store(nil)
		return nil
	}
	trouble := &writeTrouble{since: time.Now(), err: err}
	if former := w.trouble.Load(); former != nil {
		trouble.since = former.since
	}
	w.trouble.Store(trouble)
	return err
}

package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/store"
)

const (
	// copiesPrefix is where the copies lie in the state folder.
	copiesPrefix = "tenants/"
	// copiesRetryTime is how long after a write that did not work it is tried
	// again: an old copy would let in at the next start whoever was shut out
	// since.
	copiesRetryTime = time.Minute
	// lastCopiesTime bounds the last writes when the process goes down: what they
	// would keep is in the files, too.
	lastCopiesTime = 5 * time.Second
)

// copies keeps, in the state folder, the text on which each tenant runs, for a
// start at which its file is broken. Writing is synced and slow, so it happens
// behind the reload, on a goroutine of its own.
type copies struct {
	blobs store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is pending

	mu      sync.Mutex
	pending map[string][]byte // by tenant; nil: to be deleted

	behind bool // the last write did not work, and that was logged; run's own
}

func newCopies(blobs store.Store, log *slog.Logger) *copies {
	return &copies{blobs: blobs, log: log, woken: make(chan struct{}, 1), pending: make(map[string][]byte)}
}

// text returns the text on which a tenant ran last.
func (c *copies) text(ctx context.Context, tenant string) ([]byte, bool) {
	text, err := store.ReadOrSetAside(ctx, c.blobs, c.log, copyKey(tenant))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		c.log.Warn("the last good copy of a tenant cannot be read; it is treated as absent", "tenant", tenant, "err", err)
	}
	return text, err == nil
}

// keep has texts written and those of forget deleted.
func (c *copies) keep(texts map[string][]byte, forget []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.pending, texts)
	for _, tenant := range forget {
		c.pending[tenant] = nil
	}
	if len(c.pending) > 0 {
		c.wake()
	}
}

// keepOnly has the copies of tenants deleted whose file went while no process
// ran: a deleted file stays deleted. Where there is no file at all, something
// else went wrong, and the copies stay.
func (c *copies) keepOnly(ctx context.Context, tenants []string) {
	if len(tenants) == 0 {
		return
	}
	kept, err := c.tenants(ctx)
	if err != nil {
		c.log.Warn("the last good copies cannot be listed; those of deleted tenants stay", "err", err)
		return
	}
	c.keep(nil, without(kept, tenants))
}

// tenants lists the tenants of which there is a copy.
func (c *copies) tenants(ctx context.Context) ([]string, error) {
	keys, err := c.blobs.List(ctx, copiesPrefix)
	for i, key := range keys {
		keys[i] = strings.TrimPrefix(key, copiesPrefix)
	}
	return keys, err
}

// without returns those of all that are none of known. It may change all.
func without(all, known []string) []string {
	is := make(map[string]bool, len(known))
	for _, name := range known {
		is[name] = true
	}
	return slices.DeleteFunc(all, func(name string) bool { return is[name] })
}

func (c *copies) wake() {
	select {
	case c.woken <- struct{}{}:
	default: // run has one to take already
	}
}

// run writes what is pending until ctx ends, and then what is left.
func (c *copies) run(ctx context.Context) {
	retry := time.NewTimer(copiesRetryTime)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-c.woken:
		case <-retry.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCopiesTime)
			defer cancel()
			c.write(last)
			return
		}
		if !c.write(ctx) {
			retry.Reset(copiesRetryTime)
		}
	}
}

// write writes what is pending and reports whether all of it is written.
func (c *copies) write(ctx context.Context) bool {
	work := c.take()
	var cause error
	for tenant, text := range work {
		err := ctx.Err()
		if err == nil {
			err = c.writeOne(ctx, tenant, text)
		}
		if err != nil {
			cause = err
			continue
		}
		delete(work, tenant)
	}
	c.putBack(work)
	c.tell(len(work), cause)
	return cause == nil
}

// tell logs once that copies cannot be kept, and once that they are again.
func (c *copies) tell(left int, cause error) {
	switch {
	case cause != nil && !c.behind:
		c.log.Error("the last good copies of some tenants are not kept; a start with a broken file would go on with an older text; tried again every minute",
			"tenants", left, "err", cause)
	case cause == nil && c.behind:
		c.log.Info("the last good copies of all tenants are kept again")
	}
	c.behind = cause != nil
}

func (c *copies) take() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	work := c.pending
	c.pending = make(map[string][]byte)
	return work
}

// putBack makes pending again what was not written and has not changed since.
func (c *copies) putBack(left map[string][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tenant, text := range left {
		if _, newer := c.pending[tenant]; !newer {
			c.pending[tenant] = text
		}
	}
}

// writeOne compares first: reading is fast, and at each start nearly every copy
// is right already.
func (c *copies) writeOne(ctx context.Context, tenant string, text []byte) error {
	if text == nil {
		return c.blobs.Delete(ctx, copyKey(tenant))
	}
	if held, err := c.blobs.Get(ctx, copyKey(tenant)); err == nil && bytes.Equal(held, text) {
		return nil
	}
	return c.blobs.Put(ctx, copyKey(tenant), text)
}

func copyKey(tenant string) string { return copiesPrefix + tenant }

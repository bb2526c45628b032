package gateway

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/store"
)

// lastCopiesTime bounds the last writes when the process goes down: what they
// would keep is in the files, too.
const lastCopiesTime = 5 * time.Second

// copies keeps, in the state folder, the text on which each tenant runs, for a
// start at which its file is broken. Writing is synced and slow, so it happens
// behind the reload, on a goroutine of its own.
type copies struct {
	blobs store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is pending

	mu      sync.Mutex
	pending map[string][]byte // by tenant; nil: to be deleted
}

func newCopies(blobs store.Store, log *slog.Logger) *copies {
	return &copies{blobs: blobs, log: log, woken: make(chan struct{}, 1), pending: make(map[string][]byte)}
}

// text returns the text on which a tenant ran last.
func (c *copies) text(ctx context.Context, tenant string) ([]byte, bool) {
	text, err := store.ReadOrSetAside(ctx, c.blobs, c.log, copyKey(tenant))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		c.log.Warn("read the last good copy of a tenant; it is treated as absent", "tenant", tenant, "err", err)
	}
	return text, err == nil
}

// keep has texts written and those of forget deleted.
func (c *copies) keep(texts map[string][]byte, forget []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tenant, text := range texts {
		c.pending[tenant] = text
	}
	for _, tenant := range forget {
		c.pending[tenant] = nil
	}
	select {
	case c.woken <- struct{}{}:
	default: // run has one to take already
	}
}

// run writes what is pending until ctx ends, and then what is left.
func (c *copies) run(ctx context.Context) {
	for {
		select {
		case <-c.woken:
			c.write(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastCopiesTime)
			defer cancel()
			c.write(last)
			return
		}
	}
}

func (c *copies) write(ctx context.Context) {
	for ctx.Err() == nil {
		tenant, text, ok := c.next()
		if !ok {
			return
		}
		if err := c.writeOne(ctx, tenant, text); err != nil {
			c.log.Error("keep the last good copy of a tenant; the former copy stays until it changes again", "tenant", tenant, "err", err)
		}
	}
}

func (c *copies) next() (tenant string, text []byte, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for tenant, text := range c.pending {
		delete(c.pending, tenant)
		return tenant, text, true
	}
	return "", nil, false
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

func copyKey(tenant string) string { return "tenants/" + tenant }

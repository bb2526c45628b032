package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/store"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

const (
	// abortsKey is where the canaries that were given up lie in the state folder.
	abortsKey = "canaries/aborted"
	// abortsVersion grows with what an older program would drop.
	abortsVersion = 1
	// abortsMax bounds them. Of more the oldest are forgotten: after a restart
	// those get requests again until they are given up again.
	abortsMax = 1000
	// abortsRetryTime is how long after a write that did not work it is tried again.
	abortsRetryTime = time.Minute
	// abortsLastTime is how long the last write may take when the process ends.
	abortsLastTime = 5 * time.Second
)

// canaryBook is the canaries that were given up, so that a restart does not try
// them again. It is kept when the state folder has time for it.
type canaryBook struct {
	blobs store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is not kept

	mu   sync.Mutex
	held []proxy.CanaryAbort // the oldest first
}

func newCanaryBook(blobs store.Store, log *slog.Logger) *canaryBook {
	return &canaryBook{blobs: blobs, log: log, woken: make(chan struct{}, 1)}
}

// abortsBlob is what was given up as it is kept.
type abortsBlob struct {
	Version int                 `json:"version"`
	Aborted []proxy.CanaryAbort `json:"aborted"`
}

// decodeAborts reads what write wrote, or the bare list that it wrote once.
func decodeAborts(text []byte) (held []proxy.CanaryAbort, err error) {
	if bytes.HasPrefix(text, []byte("[")) {
		err = json.Unmarshal(text, &held)
		return held, err
	}
	var blob abortsBlob
	err = json.Unmarshal(text, &blob)
	return blob.Aborted, err
}

// load reads what an earlier process has given up. What cannot be read is tried
// again by requests: nobody is let in for it. What a newer program wrote is an
// error.
func (b *canaryBook) load(ctx context.Context) error {
	text, err := store.ReadOrSetAside(ctx, b.blobs, b.log, abortsKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	var held []proxy.CanaryAbort
	if err == nil {
		if err := checkVersion(abortsKey, text, abortsVersion); err != nil {
			return err
		}
		var cause error
		if held, cause = decodeAborts(text); cause != nil {
			err = store.SetAsideDamaged(ctx, b.blobs, b.log, abortsKey, cause)
		}
	}
	if err != nil {
		b.log.WarnContext(ctx, "which canaries were given up cannot be read; they get requests until they are given up again", "err", err)
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = held
	return nil
}

// Find returns how a canary was given up, if it was.
func (b *canaryBook) Find(tenant, canary string) (proxy.CanaryAbort, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.held, func(a proxy.CanaryAbort) bool { return a.Tenant == tenant && a.Canary == canary })
	if i < 0 {
		return proxy.CanaryAbort{}, false
	}
	return b.held[i], true
}

// Note has an abort kept.
func (b *canaryBook) Note(a proxy.CanaryAbort) {
	b.mu.Lock()
	b.held = append(b.held, a)
	if over := len(b.held) - abortsMax; over > 0 {
		b.held = slices.Delete(b.held, 0, over)
	}
	b.mu.Unlock()
	b.wake()
}

// keepOnly forgets the canaries that tenants of a table do not have any more. A
// tenant that the table does not have may come back.
func (b *canaryBook) keepOnly(t *tenancy.Table) {
	b.mu.Lock()
	before := len(b.held)
	b.held = slices.DeleteFunc(b.held, func(a proxy.CanaryAbort) bool {
		tenant := t.Tenant(a.Tenant)
		return tenant != nil && !slices.ContainsFunc(tenant.Routes(), func(r *tenancy.Route) bool {
			return r.Canary() != nil && r.Canary().Digest() == a.Canary
		})
	})
	changed := len(b.held) != before
	b.mu.Unlock()
	if changed {
		b.wake()
	}
}

func (b *canaryBook) wake() {
	select {
	case b.woken <- struct{}{}:
	default: // run has one to take already
	}
}

// run keeps what is noted until ctx ends, and then what is left.
func (b *canaryBook) run(ctx context.Context) {
	retry := time.NewTimer(abortsRetryTime)
	retry.Stop()
	defer retry.Stop()
	behind := false
	for {
		select {
		case <-b.woken:
		case <-retry.C:
		case <-ctx.Done():
			select {
			case <-b.woken:
				behind = true
			default:
			}
			if behind {
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortsLastTime)
				defer cancel()
				b.write(last)
			}
			return
		}
		if behind = !b.write(ctx); behind {
			retry.Reset(abortsRetryTime)
		}
	}
}

// write keeps what is noted, and reports whether that worked.
func (b *canaryBook) write(ctx context.Context) bool {
	b.mu.Lock()
	text, err := json.Marshal(abortsBlob{abortsVersion, b.held})
	b.mu.Unlock()
	if err == nil {
		err = b.blobs.Put(ctx, abortsKey, text)
	}
	if err != nil {
		b.log.Warn("which canaries were given up is not kept; a restart would try them again; tried again every minute", "err", err)
	}
	return err == nil
}

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tenancy"
)

const (
	// leversKey is where they lie in the state folder.
	leversKey = "levers"
	// leversRetryTime is how long after a write that did not work it is tried
	// again: the next start would let in whoever was shut out.
	leversRetryTime = 10 * time.Second
	// leversWaitTime is how long an order waits to be kept. It is in force by then.
	leversWaitTime = 5 * time.Second
)

// leverBook is what operators have ordered. An order is in force before it is
// kept: a state folder that is slow or full delays none.
type leverBook struct {
	blobs store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is not kept

	mu      sync.Mutex
	held    tenancy.Levers // never written: a change makes another
	given   uint64         // the number of the last change
	kept    uint64         // that of the last one that the state folder has
	trouble error          // why the last write did not work
	wrote   chan struct{}  // closed when the write under way, or the next, has ended
}

func newLeverBook(blobs store.Store, log *slog.Logger) *leverBook {
	return &leverBook{blobs: blobs, log: log, woken: make(chan struct{}, 1), wrote: make(chan struct{})}
}

// load reads what an earlier process was ordered. What is damaged is set aside;
// what cannot be read for another reason is an error: nobody is to be let in for
// it.
func (b *leverBook) load(ctx context.Context) error {
	text, err := store.ReadOrSetAside(ctx, b.blobs, b.log, leversKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("what operators have ordered (block, suspend, maintenance, drain) cannot be read: %w", err)
	}
	var held tenancy.Levers
	if cause := json.Unmarshal(text, &held); cause != nil {
		return store.SetAsideDamaged(ctx, b.blobs, b.log, leversKey, cause)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = held
	return nil
}

// orders returns what is ordered. It must not be written.
func (b *leverBook) orders() tenancy.Levers {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// change replaces what is ordered by what do makes of a copy of it, and returns
// the number of the change. Orders that have ended go on the way.
func (b *leverBook) change(now time.Time, do func(*tenancy.Levers) error) (number uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := inForce(b.held, now)
	if err := do(&next); err != nil {
		return 0, err
	}
	b.held = next
	b.given++
	select {
	case b.woken <- struct{}{}:
	default: // run has one to take already
	}
	return b.given, nil
}

// inForce returns a copy of l without what has ended.
func inForce(l tenancy.Levers, now time.Time) tenancy.Levers {
	over := func(o *tenancy.Order) bool { return !o.Holds(now.Unix()) }
	next := tenancy.Levers{
		Blocks:      slices.DeleteFunc(slices.Clone(l.Blocks), func(o tenancy.BlockOrder) bool { return over(&o.Order) }),
		Suspended:   maps.Clone(l.Suspended),
		Maintenance: maps.Clone(l.Maintenance),
		Drained:     slices.DeleteFunc(slices.Clone(l.Drained), func(o tenancy.DrainOrder) bool { return over(&o.Order) }),
	}
	maps.DeleteFunc(next.Maintenance, func(_ string, o tenancy.Order) bool { return over(&o) })
	return next
}

// wait waits until the change of that number is kept. Its error says why it is
// not: then it is lost with the process, unless a later try works.
func (b *leverBook) wait(ctx context.Context, number uint64) error {
	ctx, cancel := context.WithTimeout(ctx, leversWaitTime)
	defer cancel()
	for {
		b.mu.Lock()
		kept, trouble, wrote := b.kept, b.trouble, b.wrote
		b.mu.Unlock()
		switch {
		case kept >= number:
			return nil
		case trouble != nil:
			return trouble
		}
		select {
		case <-wrote:
		case <-ctx.Done():
			return errors.New("the state folder has not answered yet")
		}
	}
}

// run keeps what is ordered until ctx ends, and then what is left.
func (b *leverBook) run(ctx context.Context) {
	retry := time.NewTimer(leversRetryTime)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-b.woken:
		case <-retry.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leversWaitTime)
			defer cancel()
			b.write(last)
			return
		}
		if !b.write(ctx) {
			retry.Reset(leversRetryTime)
		}
	}
}

// write keeps what is ordered, and reports whether that worked.
func (b *leverBook) write(ctx context.Context) bool {
	b.mu.Lock()
	held, number, behind := b.held, b.given, b.kept < b.given
	b.mu.Unlock()
	if !behind {
		return true
	}
	text, err := json.Marshal(held)
	if err == nil {
		err = b.blobs.Put(ctx, leversKey, text)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.kept = number
	}
	if (err == nil) != (b.trouble == nil) {
		b.tell(err)
	}
	b.trouble = err
	close(b.wrote)
	b.wrote = make(chan struct{})
	return err == nil
}

// tell logs once that orders are not kept, and once that they are again.
func (b *leverBook) tell(err error) {
	if err == nil {
		b.log.Info("what operators have ordered is kept again")
		return
	}
	b.log.Error("what operators have ordered is in force and not kept; a restart would forget it; tried again every 10 seconds", "err", err)
}

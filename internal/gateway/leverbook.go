package gateway

import (
	"context"
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
	// leversRetryTime is how long after a write that did not work it is tried
	// again: the next start would let in whoever was shut out.
	leversRetryTime = 10 * time.Second
	// leversWaitTime is how long an order waits to be kept. It is in force by then.
	leversWaitTime = 5 * time.Second
	// leversEndedTime is how long an order that has ended stays in the book: a
	// clock that was ahead for a while ends none for good.
	leversEndedTime = 24 * time.Hour
)

// leverBook is what operators have ordered. An order is in force before it is
// kept: a state folder that is slow or full delays none.
type leverBook struct {
	blobs store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is not kept

	mu       sync.Mutex
	held     tenancy.Levers // never written: a change makes another
	text     []byte         // the same, as it is kept
	given    uint64         // the number of the last change
	kept     uint64         // that of the last one that the state folder has
	copied   uint64         // that of the last one that it has twice
	tried    uint64         // that of the last one of which a write has ended
	trouble  error          // why that write did not work
	troubled time.Time      // since when none does
	wrote    chan struct{}  // closed when the write under way, or the next, has ended
	uncopied bool           // whether the last try to have it twice failed
	lost     string         // what of an earlier process's orders may be missing; until the next order
}

func newLeverBook(blobs store.Store, log *slog.Logger) *leverBook {
	return &leverBook{blobs: blobs, log: log, woken: make(chan struct{}, 1), wrote: make(chan struct{})}
}

// orders returns what is ordered. It must not be written.
func (b *leverBook) orders() tenancy.Levers {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// change replaces what is ordered by what do makes of a copy of it, and returns
// the number of the change. Orders that ended long ago go on the way.
func (b *leverBook) change(now time.Time, do func(*tenancy.Levers) error) (number uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := roomFor(b.held, now)
	if err := do(&next); err != nil {
		return 0, err
	}
	text, err := encodeLevers(next, "")
	if err != nil {
		return 0, err
	}
	// What makes less of too much is taken.
	if len(text) > leversBytesMax && len(text) > len(b.text) {
		return 0, fmt.Errorf("all that is ordered by command would take %d bytes of the state, and %d is the most; take orders back, or write into the files what is for long", len(text), leversBytesMax)
	}
	b.held, b.text, b.lost = next, text, ""
	b.given++
	b.wake()
	return b.given, nil
}

// wake has run write.
func (b *leverBook) wake() {
	select {
	case b.woken <- struct{}{}:
	default: // run has one to take already
	}
}

// roomFor returns a copy of l to be changed, without what ended long ago; where
// that leaves no room for one more, without all that has ended.
func roomFor(l tenancy.Levers, now time.Time) tenancy.Levers {
	next := inForce(l, now.Add(-leversEndedTime))
	if len(next.Blocks) >= blocksMax || len(next.Maintenance) >= closedTenantsMax || len(next.Drained) >= drainsMax {
		next = inForce(l, now)
	}
	return next
}

// inForce returns a copy of l without what has ended by now.
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
		kept, tried, trouble, wrote := b.kept, b.tried, b.trouble, b.wrote
		b.mu.Unlock()
		switch {
		case kept >= number:
			return nil
		case trouble != nil && tried >= number:
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

// write keeps what is ordered, twice, and reports whether that worked. The order
// counts as kept by the first: the second is against damage. What is kept is not
// written again for want of the second, as it would count as lost if that failed.
func (b *leverBook) write(ctx context.Context) bool {
	b.mu.Lock()
	text, number, kept, copied := b.text, b.given, b.kept, b.copied
	b.mu.Unlock()
	if kept < number {
		err := b.blobs.Put(ctx, leversKey, text)
		b.wroteOne(number, err)
		if err != nil {
			return false
		}
	}
	if copied < number {
		err := b.blobs.Put(ctx, leversCopyKey, text)
		b.wroteCopy(number, err)
		return err == nil
	}
	return true
}

// wroteCopy notes how the second write of a change has ended, and logs once that
// there is no copy.
func (b *leverBook) wroteCopy(number uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.copied = number
	} else if !b.uncopied {
		b.log.Warn("the copy of what operators have ordered is not kept; tried again every 10 seconds", "err", err)
	}
	b.uncopied = err != nil
}

// wroteOne notes how the write of a change has ended.
func (b *leverBook) wroteOne(number uint64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.kept = number
	}
	if (err == nil) != (b.trouble == nil) {
		b.troubled = time.Now()
		b.tell(err)
	}
	b.tried, b.trouble = number, err
	close(b.wrote)
	b.wrote = make(chan struct{})
}

// tell logs once that orders are not kept, and once that they are again.
func (b *leverBook) tell(err error) {
	if err == nil {
		b.log.Info("what operators have ordered is kept again")
		return
	}
	b.log.Error("what operators have ordered is in force and not kept; a restart would forget it; tried again every 10 seconds", "err", err)
}

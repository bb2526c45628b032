package limit

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// BudgetWindow is the time over which a budget looks back: long enough that a
	// burst of failures finds what quiet seconds have left, short enough that a
	// busy hour does not pay for an outage.
	BudgetWindow = 10 * time.Second
	// budgetSlots are what the window is counted in: it is right to a second.
	budgetSlots = 10

	budgetSlot = int64(BudgetWindow / budgetSlots)
)

// Allowance is how much may be done beside something else: retries beside
// requests. The zero Allowance is nothing.
type Allowance struct {
	Share int           // percent of what is done
	Every time.Duration // one in each such time, however little is done; 0: none
}

// of returns how much it is beside done in a window.
func (a Allowance) of(done int64) int64 {
	most := done * int64(a.Share) / 100
	if a.Every > 0 {
		most = max(most, int64(BudgetWindow/a.Every))
	}
	return most
}

// Budget counts what is done, and bounds what is done beside it to an allowance
// over the last BudgetWindow. The zero Budget is ready. Its methods may be called
// at the same time; none waits or allocates.
type Budget struct {
	slot atomic.Int64 // the number of the present slot
	done atomic.Int64 // in the present slot

	mu    sync.Mutex // held to change the slot, and by whoever takes
	slots [budgetSlots]struct{ done, beside int64 }
}

// Done counts one that is done at the time now.
func (b *Budget) Done(now int64) {
	if now/budgetSlot > b.slot.Load() {
		b.mu.Lock()
		b.turn(now)
		b.mu.Unlock()
	}
	b.done.Add(1)
}

// Take takes one of what may be done beside it; false if there is none left.
func (b *Budget) Take(now int64, a Allowance) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	if beside, done := b.sum(); beside >= a.of(done) {
		return false
	}
	b.slots[b.slot.Load()%budgetSlots].beside++
	return true
}

// Load returns how much was done beside it in the last window, and how much may
// be.
func (b *Budget) Load(now int64, a Allowance) (beside, most int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	beside, done := b.sum()
	return beside, a.of(done)
}

// turn goes on to the slot of now. A caller whose clock is behind another's
// counts for the slot of that one. The caller holds mu.
func (b *Budget) turn(now int64) {
	from, to := b.slot.Load(), now/budgetSlot
	if to <= from {
		return
	}
	b.slots[from%budgetSlots].done += b.done.Swap(0)
	for s := max(from+1, to-budgetSlots+1); s <= to; s++ {
		b.slots[s%budgetSlots].done, b.slots[s%budgetSlots].beside = 0, 0
	}
	b.slot.Store(to)
}

// sum adds the slots up. The caller holds mu.
func (b *Budget) sum() (beside, done int64) {
	done = b.done.Load()
	for _, s := range b.slots {
		beside += s.beside
		done += s.done
	}
	return beside, done
}

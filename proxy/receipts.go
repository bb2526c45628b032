package proxy

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"gatehouse/tenancy"
)

const (
	// receiptsMost is how many requests a shelf remembers of each kind: 640 KiB.
	receiptsMost = 1024
	// shelvesMost is how many shelves there are. A tenant keeps to one: one that
	// is refused, or served, a hundred thousand times a second displaces what is
	// known of a thirty-second of the others. All of them, once tenants are on
	// each, are 42 MiB.
	shelvesMost = 32
)

// receipts remembers the last requests of tenants, for whoever asks why by a ref.
// What was refused, failed or ended early lies apart from what was not: there is
// less of it, and it is what is asked about.
type receipts struct {
	seed    maphash.Seed
	shelves [shelvesMost]atomic.Pointer[shelf]
	nobody  shelf // of requests that no tenant has
}

// shelf is where a tenant's lie.
type shelf struct{ refused, served ring }

// ring remembers the last ones. Those who write at the same time wait for each
// other only if one of them is overtaken by a whole turn.
type ring struct {
	turn  atomic.Uint64
	slots [receiptsMost]receipt
}

// of returns the shelf of a tenant. It makes one where there is none, and is not
// meant for the way of a request.
func (r *receipts) of(tenant string) *shelf {
	at := &r.shelves[maphash.String(r.seed, tenant)%shelvesMost]
	if at.Load() == nil {
		at.CompareAndSwap(nil, new(shelf))
	}
	return at.Load()
}

// note remembers an exchange that is over.
func (r *receipts) note(ex *exchange, now time.Time) {
	on := &r.nobody
	if ex.run != nil {
		on = ex.run.receipts
	}
	into := &on.served
	if ex.reason != tenancy.NoReason {
		into = &on.refused
	}
	slot := &into.slots[(into.turn.Add(1)-1)%receiptsMost]
	slot.mu.Lock()
	slot.write(ex, now)
	slot.mu.Unlock()
}

// find returns what is remembered of a ref.
func (r *receipts) find(ref string) (Receipt, bool) {
	if len(ref) != refBytes {
		return Receipt{}, false
	}
	wanted := [refBytes]byte([]byte(ref))
	on := []*shelf{&r.nobody}
	for i := range r.shelves {
		if s := r.shelves[i].Load(); s != nil {
			on = append(on, s)
		}
	}
	for _, s := range on {
		for _, in := range [...]*ring{&s.refused, &s.served} {
			if found, ok := in.find(wanted); ok {
				return found, true
			}
		}
	}
	return Receipt{}, false
}

func (r *ring) find(ref [refBytes]byte) (Receipt, bool) {
	for i := range r.slots {
		slot := &r.slots[i]
		slot.mu.Lock()
		if slot.ref == ref {
			defer slot.mu.Unlock()
			return slot.read(), true
		}
		slot.mu.Unlock()
	}
	return Receipt{}, false
}

// Receipt returns what is remembered of the request with a ref: of the last
// refusals and of the last others, in memory alone. One that is not over is not
// known yet.
func (s *Server) Receipt(ref string) (Receipt, bool) { return s.receipts.find(ref) }

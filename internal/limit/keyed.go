package limit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// keyedShards keeps clients on different cores apart.
	keyedShards = 16
	// setSlots is how many places an address may lie in: 256 bytes, four cache
	// lines in a row. At a fifth of shardSlotsMost, which is the hundred thousand
	// clients that limits hold for to the letter, none of the sets is over-full.
	setSlots = 16
	// shardSlotsLeast is what a shard begins with, 1 KiB, and always may have.
	shardSlotsLeast = 4 * setSlots
	// shardSlotsMost bounds a table to 524,288 addresses, 8 MiB.
	shardSlotsMost = 32_768
	// roomMax is how many addresses all tables together may have beyond what
	// each begins with: 64 MiB.
	roomMax = 4 << 20
)

// Room is what all tables of a process may grow by, so that many tenants that
// are flooded at once do not fill the memory together. A nil Room is endless.
type Room struct{ taken atomic.Int64 }

// take takes n places, or none.
func (r *Room) take(n int) bool {
	if r == nil {
		return true
	}
	if r.taken.Add(int64(n)) > roomMax {
		r.taken.Add(int64(-n))
		return false
	}
	return true
}

func (r *Room) give(n int) {
	if r != nil {
		r.taken.Add(int64(-n))
	}
}

// Keyed is a bucket for each client address. Its methods may be called at the
// same time, and hold no lock for longer than it takes to look at 16 addresses,
// growing aside.
//
// # What happens when it is full
//
// A bucket that is full again says the same as none, so its place is free for
// anybody, and a table holds those clients alone that have come lately. It grows
// while most of its places are of use. When it may not grow, a client that is new
// gets the place of the one among 16 whose bucket is the fullest: who has the
// least to be forgotten. Nobody is refused for want of a place; a flood of
// addresses gains each of them at most its burst, which a new address has
// anyway; and those that are well over their rate, who are what the table is
// for, are the last to be forgotten.
type Keyed struct {
	seed   maphash.Seed
	room   *Room
	shards [keyedShards]keyedShard
}

type keyedShard struct {
	mu     sync.Mutex
	slots  []slot // a power of two of them, in sets of setSlots
	closed bool
	_      [24]byte
}

// slot is the bucket of one address; see Quota.take.
type slot struct {
	address Address
	full    int64
}

// NewKeyed returns a table without addresses that grows within room.
func NewKeyed(room *Room) *Keyed { return &Keyed{seed: maphash.MakeSeed(), room: room} }

// Take takes one of a's at the time now. It returns 0 if there was one, and
// otherwise how long it takes until there is one again; nothing is taken then.
func (k *Keyed) Take(a Address, now int64, q Quota) (wait time.Duration) {
	hash := maphash.Comparable(k.seed, a)
	s := &k.shards[hash%keyedShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.find(a, hash, now)
	if at == nil {
		at = s.place(k, hash, now)
		*at = slot{address: a}
	}
	at.full, wait = q.take(at.full, now)
	return wait
}

// set returns where the address with this hash may lie.
func (s *keyedShard) set(hash uint64) []slot {
	if len(s.slots) == 0 {
		return nil
	}
	at := int(hash/keyedShards) * setSlots & (len(s.slots) - 1)
	return s.slots[at : at+setSlots : at+setSlots]
}

// find returns the bucket of a, which is a new one where there was none and a
// place is free, or nil.
func (s *keyedShard) find(a Address, hash uint64, now int64) (free *slot) {
	set := s.set(hash)
	for i := range set {
		switch at := &set[i]; {
		case at.address == a:
			return at
		case at.full <= now && free == nil:
			free = at
		}
	}
	if free != nil {
		*free = slot{address: a}
	}
	return free
}

// place makes room in a set that has none: by growing, or else by forgetting.
func (s *keyedShard) place(k *Keyed, hash uint64, now int64) *slot {
	s.grow(k, now)
	return fullest(s.set(hash))
}

// fullest returns the bucket with the least to be forgotten.
func fullest(set []slot) *slot {
	least := &set[0]
	for i := range set {
		if set[i].full < least.full {
			least = &set[i]
		}
	}
	return least
}

// grow doubles the shard if a quarter of it is in use and it may.
func (s *keyedShard) grow(k *Keyed, now int64) {
	n := len(s.slots)
	switch {
	case n == 0:
		s.slots = make([]slot, shardSlotsLeast)
	case s.closed || n >= shardSlotsMost || !k.room.take(n):
	case s.used(now) < n/4:
		k.room.give(n)
	default:
		s.resize(k, 2*n, now)
	}
}

// used counts the buckets that say anything.
func (s *keyedShard) used(now int64) (n int) {
	for i := range s.slots {
		if s.slots[i].full > now {
			n++
		}
	}
	return n
}

// resize moves what is of use to a new array of n places.
func (s *keyedShard) resize(k *Keyed, n int, now int64) {
	former := s.slots
	s.slots = make([]slot, n)
	for _, old := range former {
		if old.full <= now {
			continue
		}
		at := fullest(s.set(maphash.Comparable(k.seed, old.address)))
		if at.full < old.full {
			*at = old
		}
	}
}

// Sweep gives back memory that is of no use any more. Called every few seconds,
// it takes a millisecond for each million places.
func (k *Keyed) Sweep(now int64) {
	for i := range k.shards {
		k.shards[i].sweep(k, now)
	}
}

func (s *keyedShard) sweep(k *Keyed, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.slots)
	if n <= shardSlotsLeast || s.used(now) > n/8 {
		return
	}
	k.room.give(n - n/2)
	s.resize(k, n/2, now)
}

// Close forgets all clients and gives the room back for good: who still uses the
// table is served, in what it began with.
func (k *Keyed) Close() {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		if n := len(s.slots); n > shardSlotsLeast {
			k.room.give(n - shardSlotsLeast)
		}
		s.slots, s.closed = nil, true
		s.mu.Unlock()
	}
}

// Len returns how many clients have buckets that are not full at the time now.
// It looks at all of them.
func (k *Keyed) Len(now int64) (n int) {
	for i := range k.shards {
		s := &k.shards[i]
		s.mu.Lock()
		n += s.used(now)
		s.mu.Unlock()
	}
	return n
}

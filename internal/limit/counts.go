package limit

import "sync"

// countShards keeps clients on different cores apart.
const countShards = 16

// Counts is how many of something each client address holds. It remembers those
// alone that hold any, so it is bounded by what there is to be held. The zero
// Counts is ready; its methods may be called at the same time.
type Counts struct {
	shards [countShards]struct {
		mu   sync.Mutex
		held map[Address]int
		_    [40]byte
	}
}

// Take gives a one more, and reports false when it has most already.
func (c *Counts) Take(a Address, most int) bool {
	s := &c.shards[shardOf(a)]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.held[a]
	if n >= most {
		return false
	}
	if s.held == nil {
		s.held = make(map[Address]int)
	}
	s.held[a] = n + 1
	return true
}

// Give takes back one that Take gave.
func (c *Counts) Give(a Address) {
	s := &c.shards[shardOf(a)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.held[a]; n > 1 {
		s.held[a] = n - 1
	} else {
		delete(s.held, a)
	}
}

// Held returns how many a holds.
func (c *Counts) Held(a Address) int {
	s := &c.shards[shardOf(a)]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[a]
}

// Len returns how many addresses hold any.
func (c *Counts) Len() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.held)
		s.mu.Unlock()
	}
	return n
}

// shardOf spreads clients by the last bytes of their network, which is where
// neighbours differ.
func shardOf(a Address) uint64 { return uint64(a^a>>8) % countShards }

package password

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"hash"
	"sync"
	"time"
)

const (
	// RememberTime is how long a password that was right is not hashed again:
	// long enough for somebody who works to be asked a dozen times an hour, short
	// enough that what is in memory is of no use the next day.
	RememberTime = 5 * time.Minute
	// rememberedMost bounds what a Memory holds to about half a megabyte: a
	// thousand users with four devices that disagree about their names.
	rememberedMost = 4096
)

// Digest stands for a name, its hash and a password under a key of the process.
type Digest [sha256.Size]byte

// Memory knows which passwords were right a short while ago, and which are being
// checked. It holds no password and nothing that one could be guessed from
// without its key. Its methods may be called at the same time.
type Memory struct {
	key  [sha256.Size]byte
	macs sync.Pool // of *mac

	mu    sync.Mutex
	right map[Digest]time.Time // until when
	busy  map[Digest]*Check
}

// mac is HMAC-SHA-256 (RFC 2104) under a Memory's key.
type mac struct {
	hash.Hash
	sum [sha256.Size]byte
}

// NewMemory returns a Memory with a key of its own.
func NewMemory() *Memory {
	m := &Memory{right: make(map[Digest]time.Time), busy: make(map[Digest]*Check)}
	rand.Read(m.key[:])
	return m
}

// Digest stands for the credentials and the hash that they are checked against:
// once the hash is another one, nothing is remembered of the former.
func (m *Memory) Digest(c Credentials, against *Hash) Digest {
	h, ok := m.macs.Get().(*mac)
	if !ok {
		h = &mac{Hash: hmac.New(sha256.New, m.key[:])}
	}
	defer m.macs.Put(h)
	h.Reset()
	h.Write(against.digest[:])
	h.Write(c.Name)
	h.Write(separator)
	h.Write(c.Password)
	return Digest(h.Sum(h.sum[:0]))
}

// separator stands in no name.
var separator = []byte{0}

// State is what a Memory knows of a digest.
type State uint8

// The states.
const (
	Unknown State = iota // the caller checks it, and calls End
	Busy                 // somebody does; wait for the Check
	Known                // it was right
)

// Check is the check of a password that is under way.
type Check struct {
	done    chan struct{}
	outcome Outcome
}

// Outcome is how a check ended.
type Outcome uint8

// The outcomes.
const (
	Unmade Outcome = iota // it was not made; whoever waits may try
	Wrong
	Right
)

// Wait waits until the check has ended.
func (c *Check) Wait() Outcome {
	<-c.done
	return c.outcome
}

// Begin says what is known of d. One caller alone gets Unknown until it calls
// [Memory.End], which it must, so that a page of fifty pictures costs one hash.
func (m *Memory) Begin(d Digest, now time.Time) (*Check, State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if until, ok := m.right[d]; ok && now.Before(until) {
		return nil, Known
	}
	if c := m.busy[d]; c != nil {
		return c, Busy
	}
	c := &Check{done: make(chan struct{})}
	m.busy[d] = c
	return c, Unknown
}

// End ends a check that Begin gave. What is right is remembered from now on.
func (m *Memory) End(d Digest, c *Check, outcome Outcome, now time.Time) {
	m.mu.Lock()
	delete(m.busy, d)
	if outcome == Right {
		m.remember(d, now)
	}
	m.mu.Unlock()
	c.outcome = outcome
	close(c.done)
}

// remember makes room if need be: for want of anything that is over, by
// forgetting any. Only right passwords take places, so nobody can flood it. The
// caller holds mu.
func (m *Memory) remember(d Digest, now time.Time) {
	if len(m.right) >= rememberedMost {
		m.forget(now)
	}
	for other := range m.right {
		if len(m.right) < rememberedMost {
			break
		}
		delete(m.right, other)
	}
	m.right[d] = now.Add(RememberTime)
}

// Sweep forgets what is over.
func (m *Memory) Sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(now)
}

func (m *Memory) forget(now time.Time) {
	for d, until := range m.right {
		if !now.Before(until) {
			delete(m.right, d)
		}
	}
}

// Len returns how many are remembered.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.right)
}

package proxy

import (
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/limit"
)

const (
	// refusalQuiet is how long an address that was logged is not logged again.
	refusalQuiet = time.Minute

	// refusalsMax is how many addresses are remembered for each of two such
	// times: 64 bytes each, half a megabyte together. While more than these are
	// refused within a minute, the counters tell the rest.
	refusalsMax = 4096
)

// refusalLog decides which refusals at the handshake are worth a line: the
// first of each address and minute. The zero value is ready.
type refusalLog struct {
	mu sync.Mutex
	// recent and former remember when an address was logged; recent becomes
	// former after a minute, so that no entry goes before its minute has passed.
	recent, former map[limit.Address]int64
	turned         int64
}

// first reports whether a refusal of that address is to be logged at the coarse
// time now.
func (l *refusalLog) first(a netip.Addr, now int64) bool {
	key := limit.AddressOf(a)
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.recent[key]
	if !ok {
		at, ok = l.former[key]
	}
	if ok && now-at < int64(refusalQuiet) {
		return false
	}
	if len(l.recent) >= refusalsMax {
		return false
	}
	if l.recent == nil {
		l.recent = make(map[limit.Address]int64)
	}
	l.recent[key] = now
	return true
}

// sweep forgets what is older than a minute.
func (l *refusalLog) sweep(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now-l.turned < int64(refusalQuiet) {
		return
	}
	l.former, l.recent, l.turned = l.recent, nil, now
}

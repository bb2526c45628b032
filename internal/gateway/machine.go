package gateway

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// addressesTime is how long the list of this machine's addresses is believed. A
// floating address that arrives with a failover is known soon; listing them
// for each dial would cost more than the dial.
const addressesTime = 5 * time.Second

// machine knows the addresses of this machine.
type machine struct {
	mu     sync.Mutex
	listed time.Time
	own    map[netip.Addr]bool
}

// has reports whether a is an address of this machine. Where they cannot be
// listed, what was known before counts.
func (m *machine) has(a netip.Addr) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.own == nil || now.Sub(m.listed) >= addressesTime {
		m.listed = now
		if addrs, err := net.InterfaceAddrs(); err == nil {
			m.own = addressSet(addrs)
		}
	}
	return m.own[a.Unmap()]
}

func addressSet(addrs []net.Addr) map[netip.Addr]bool {
	set := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				set[addr.Unmap()] = true
			}
		}
	}
	return set
}

package tenancy

import (
	"fmt"
	"net/netip"

	"gatehouse/internal/pool"
)

// dialRules are the guards that every address is held to when it is dialled:
// a name resolves to whatever its owner says.
type dialRules struct {
	networks  []netip.Prefix        // require.backend_networks; nil: any
	listeners []*Listener           // those that serve no tenant included
	machine   func(netip.Addr) bool // reports an address of this machine; may be nil
}

// MayDial judges an address that a backend's name resolved to, right before it
// is dialled: link-local and metadata addresses, addresses outside
// require.backend_networks, and our own listeners are refused. The error says
// what the address is.
func (t *Table) MayDial(to netip.AddrPort) error {
	return t.dialling.judge(to)
}

// FetchRules returns what judges an address that the URL of a live source led to,
// right before it is dialled: as MayDial, but for the networks that backends are
// held to. It holds on to nothing else of the table.
func (t *Table) FetchRules() (judge func(to netip.AddrPort) error) {
	anywhere := t.dialling
	anywhere.networks = nil
	return anywhere.judge
}

func (d *dialRules) judge(to netip.AddrPort) error {
	addr := to.Addr().Unmap()
	if why, bad := pool.ForbiddenAddr(addr); bad {
		return fmt.Errorf("%s is %s", addr, why)
	}
	if !d.inNetworks(addr) {
		return fmt.Errorf("%s is outside require.backend_networks", addr)
	}
	if l := d.ownListener(to); l != nil {
		return fmt.Errorf("%s is our own listener %q", to, l.Name)
	}
	return nil
}

func (d *dialRules) inNetworks(addr netip.Addr) bool {
	if d.networks == nil {
		return true
	}
	for _, p := range d.networks {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// ownListener returns the listener that to would reach, or nil: a request that
// is sent there comes back.
func (d *dialRules) ownListener(to netip.AddrPort) *Listener {
	addr := to.Addr().Unmap()
	for _, l := range d.listeners {
		if l.port != to.Port() {
			continue
		}
		if l.host == addr {
			return l
		}
		if l.everywhere() && (addr.IsLoopback() || d.machine != nil && d.machine(addr)) {
			return l
		}
	}
	return nil
}

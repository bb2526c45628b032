package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"gatehouse/internal/dnsquery"
)

// name is a host that backends are written by, and what is known of where it
// leads. It is one for all pools that have it.
type name struct {
	turn    // in no queue while it is looked up
	host    string
	of      *Names
	known   atomic.Pointer[knowledge]
	hurried atomic.Int64  // Unix nanoseconds of the last hurry that counted
	first   chan struct{} // closed once it was looked up

	// Below the mutex of Names.
	owner    string  // whose lookups it counts among
	pools    []*Pool // that are watched and have it
	asked    time.Time
	failures int // in a row
	gone     bool
}

// knowledge is what is known of a name. It is immutable.
type knowledge struct {
	addresses []netip.Addr // those that are used, in order
	confirmed time.Time    // when they were last confirmed; zero for never
	v4, v6    []netip.Addr
	all       int   // how many there were
	forbidden error // which of them is left out because no backend may be there; nil for none
	fault     error // of the last time it was looked up
	since     time.Time
	// loopbacks says that the name leads to the loopback addresses of both
	// families, of which the one of IPv4 stands in addresses for both.
	loopbacks bool
}

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()

	errNowhere = errors.New("the name has no address")
)

// NameStatus is what is known of a host that backends are written by.
type NameStatus struct {
	Host      string
	Addresses []netip.Addr
	All       int       // how many the last good answer had; more than Addresses has where there were too many
	Forbidden error     // one of that answer that is not used, because no backend may be there; a *[ForbiddenError], nil for none
	Confirmed time.Time // when Addresses were last confirmed; zero for never
	Fault     error     // why it does not lead anywhere, or no longer: Addresses are the last that were known
	Since     time.Time // of Fault
}

// status returns what is known of the name.
func (n *name) status() NameStatus {
	k := n.known.Load()
	return NameStatus{Host: n.host, Addresses: k.addresses, All: k.all, Forbidden: k.forbidden, Confirmed: k.confirmed, Fault: k.fault, Since: k.since}
}

// trouble says since when a name leads nowhere, and why.
func (n *name) trouble() (since time.Time, why string) {
	if n == nil {
		return time.Time{}, errNoNames.Error()
	}
	k := n.known.Load()
	if k.fault == nil {
		return k.since, "not looked up yet"
	}
	return k.since, k.fault.Error()
}

var errNoNames = errors.New("nobody looks names up")

// await returns one of the addresses that the name leads to, once it was looked
// up for the first time.
func (n *name) await(ctx context.Context) (netip.Addr, error) {
	if n == nil {
		return netip.Addr{}, errNoNames
	}
	select {
	case <-n.first:
	case <-ctx.Done():
		return netip.Addr{}, fmt.Errorf("look up %s: no answer yet: %w", n.host, ctx.Err())
	}
	k := n.known.Load()
	if len(k.addresses) == 0 {
		return netip.Addr{}, k.fault
	}
	return k.addresses[rand.IntN(len(k.addresses))], nil
}

// twin returns the other loopback address of a name that leads to both: programs
// listen on either, and which is nothing that their operators think of.
func (n *name) twin(at netip.Addr) (netip.Addr, bool) {
	if n == nil || at != loopback4 {
		return netip.Addr{}, false
	}
	return loopback6, n.known.Load().loopbacks
}

// learn returns what is known after a lookup. An answer that leads nowhere, or
// nowhere that a backend may be, changes no address: the last that were good are
// kept for as long as it takes.
func (k *knowledge) learn(answer dnsquery.HostAnswer, err error, now time.Time) *knowledge {
	next := *k
	if err == nil {
		next.v4, next.v6 = answer.V4.Addresses, answer.V6.Addresses
		// Where one family has no answer, what it had is kept.
		if answer.V4.Err != nil {
			next.v4 = k.v4
		}
		if answer.V6.Err != nil {
			next.v6 = k.v6
		}
		err = next.choose()
	}
	switch {
	case err == nil:
		next.confirmed, next.fault, next.since = now, nil, now
		return &next
	case k.fault == nil:
		next = *k
		next.since = now
	default:
		next = *k
	}
	next.fault = err
	return &next
}

// choose works out which addresses are used, and says why none is.
func (k *knowledge) choose() error {
	all := slices.Concat(k.v4, k.v6)
	var forbidden error
	good := slices.DeleteFunc(slices.Clone(all), func(a netip.Addr) bool {
		why, bad := ForbiddenAddr(a)
		if bad {
			forbidden = &ForbiddenError{Addr: netip.AddrPortFrom(a, 0), Why: why}
		}
		return bad
	})
	if len(good) == 0 {
		return cmp.Or(forbidden, errNowhere)
	}
	if len(k.v4) > 0 && len(k.v6) > 0 {
		if routed := slices.DeleteFunc(slices.Clone(good), unrouted); len(routed) > 0 {
			good = routed
		}
	}
	k.loopbacks = slices.Contains(good, loopback4) && slices.Contains(good, loopback6)
	if k.loopbacks {
		good = slices.DeleteFunc(good, func(a netip.Addr) bool { return a == loopback6 })
	}
	slices.SortFunc(good, netip.Addr.Compare)
	k.addresses, k.all, k.forbidden = sample(slices.Compact(good), seatsMost), len(all), forbidden
	return nil
}

// unrouted reports whether this machine has no way to an address: most have none
// to any of IPv6 (RFC 6724 section 6, rule 1). Nothing is sent.
func unrouted(a netip.Addr) bool {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, discardPort)))
	if err != nil {
		return true
	}
	_ = c.Close()
	return false
}

// discardPort is where nothing would be read if anything were sent (RFC 863).
const discardPort = 9

package limit

import (
	"encoding/binary"
	"net/netip"
)

// Address is what counts as one client: an IPv4 address, or the /64 of an IPv6
// address, because whoever has one address of a /64 has all of them (RFC 4291
// section 2.5.1). The zero Address is nobody's.
type Address uint64

// v4Mark lifts IPv4 addresses into a part of the IPv6 space that is reserved
// (0000::/8, RFC 4291 section 2.4), so that no /64 in use looks alike.
const v4Mark = 1 << 32

// loopbackV6 stands for ::/64, which would be the zero Address.
const loopbackV6 Address = 1

// AddressOf returns what a counts as. IPv4-mapped addresses count as IPv4.
func AddressOf(a netip.Addr) Address {
	raw := a.As16()
	if a.Is4() || a.Is4In6() {
		return Address(v4Mark | uint64(binary.BigEndian.Uint32(raw[12:])))
	}
	network := Address(binary.BigEndian.Uint64(raw[:8]))
	if network == 0 {
		return loopbackV6
	}
	return network
}

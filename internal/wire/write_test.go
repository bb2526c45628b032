package wire

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strconv"
)

// Headers are written here as another program would, for the tests to read.

// appendProxyV1 appends a header of version 1. Local, and a header without
// addresses, become UNKNOWN; where only one address is IPv4 it is written as
// IPv4-mapped IPv6.
func appendProxyV1(b []byte, h ProxyHeader) []byte {
	source, destination, family := wireAddrs(h)
	switch family {
	case familyTCP4:
		b = append(b, "PROXY TCP4 "...)
	case familyTCP6:
		b = append(b, "PROXY TCP6 "...)
	default:
		return append(b, "PROXY UNKNOWN\r\n"...)
	}
	b = source.AppendTo(b)
	b = append(b, ' ')
	b = destination.AppendTo(b)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(h.Source.Port()), 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(h.Destination.Port()), 10)
	return append(b, "\r\n"...)
}

// appendProxyV2 appends a header of version 2 with a checksum. Local becomes
// LOCAL, a header without addresses UNSPEC; where only one address is IPv4 it
// is written as IPv4-mapped IPv6.
func appendProxyV2(b []byte, h ProxyHeader) []byte {
	start := len(b)
	command := byte(commandProxy)
	if h.Local {
		command = commandLocal
	}
	source, destination, family := wireAddrs(h)
	b = append(b, v2Signature...)
	b = append(b, command, family, 0, 0)
	if family != familyUnspec {
		b = append(b, source.AsSlice()...)
		b = append(b, destination.AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, h.Source.Port())
		b = binary.BigEndian.AppendUint16(b, h.Destination.Port())
	}
	b = append(b, tlvCRC32C, 0, crc32.Size, 0, 0, 0, 0)
	binary.BigEndian.PutUint16(b[start+v2LengthAt:], uint16(len(b)-start-v2FixedLen))
	sum := crc32.Checksum(b[start:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[len(b)-crc32.Size:], sum)
	return b
}

// wireAddrs returns both addresses in one family, without zones, and its
// family byte of version 2.
func wireAddrs(h ProxyHeader) (source, destination netip.Addr, family byte) {
	source = h.Source.Addr().Unmap().WithZone("")
	destination = h.Destination.Addr().Unmap().WithZone("")
	switch {
	case h.Local || !source.IsValid() || !destination.IsValid():
		return netip.Addr{}, netip.Addr{}, familyUnspec
	case source.Is4() && destination.Is4():
		return source, destination, familyTCP4
	}
	return netip.AddrFrom16(source.As16()), netip.AddrFrom16(destination.As16()), familyTCP6
}

package wire

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

const v2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// The layout of version 2 (section 2.2): signature, version and command,
// family and transport, length of the rest.
const (
	v2CommandAt = 12
	v2FamilyAt  = 13
	v2LengthAt  = 14
	v2FixedLen  = 16

	commandLocal = 0x20
	commandProxy = 0x21

	familyUnspec = 0x00
	familyTCP4   = 0x11
	familyTCP6   = 0x21

	addressesTCP4 = 12
	addressesTCP6 = 36

	tlvCRC32C = 0x03
)

func parseV2(buf []byte) (ProxyHeader, int, error) {
	if len(buf) > v2CommandAt && buf[v2CommandAt] != commandLocal && buf[v2CommandAt] != commandProxy {
		return ProxyHeader{}, 0, refused("the version is not 2 or the command is neither LOCAL nor PROXY")
	}
	if len(buf) < v2FixedLen {
		return ProxyHeader{}, 0, ErrIncomplete
	}
	n := v2FixedLen + int(binary.BigEndian.Uint16(buf[v2LengthAt:]))
	if n > ProxyHeaderBytesMax {
		return ProxyHeader{}, 0, refused("the header is longer than 4096 bytes")
	}
	if len(buf) < n {
		return ProxyHeader{}, 0, ErrIncomplete
	}
	h, err := parseV2Block(buf[:n])
	if err != nil {
		return ProxyHeader{}, 0, err
	}
	return h, n, nil
}

// parseV2Block judges a whole header. The block of LOCAL is skipped, family
// and all, as section 2.2 demands.
func parseV2Block(header []byte) (ProxyHeader, error) {
	if header[v2CommandAt] == commandLocal {
		return ProxyHeader{Local: true}, nil
	}
	h, addresses, err := v2Addresses(header[v2FamilyAt], header[v2FixedLen:])
	if err != nil {
		return ProxyHeader{}, err
	}
	if err := checkTLVs(header, v2FixedLen+addresses); err != nil {
		return ProxyHeader{}, err
	}
	return h, nil
}

// v2Addresses returns the addresses and how many bytes they take. Datagrams
// and Unix sockets never lead to a TCP listener of the open internet.
func v2Addresses(family byte, block []byte) (ProxyHeader, int, error) {
	switch family {
	case familyUnspec:
		return ProxyHeader{Local: true}, 0, nil
	case familyTCP4:
		if len(block) < addressesTCP4 {
			return ProxyHeader{}, 0, refused("the addresses are cut short")
		}
		return ProxyHeader{
			Source:      addrPort(netip.AddrFrom4([4]byte(block[:4])), block[8:]),
			Destination: addrPort(netip.AddrFrom4([4]byte(block[4:8])), block[10:]),
		}, addressesTCP4, nil
	case familyTCP6:
		if len(block) < addressesTCP6 {
			return ProxyHeader{}, 0, refused("the addresses are cut short")
		}
		return ProxyHeader{
			Source:      addrPort(netip.AddrFrom16([16]byte(block[:16])), block[32:]),
			Destination: addrPort(netip.AddrFrom16([16]byte(block[16:32])), block[34:]),
		}, addressesTCP6, nil
	}
	return ProxyHeader{}, 0, refused("the family is not TCP over IPv4 or IPv6")
}

func addrPort(a netip.Addr, port []byte) netip.AddrPort {
	return netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(port))
}

// checkTLVs walks the extensions from offset at, which must fill the header
// exactly, and verifies the checksum where there is one (section 2.2.3).
func checkTLVs(header []byte, at int) error {
	summed := false
	for at < len(header) {
		if len(header)-at < 3 {
			return refused("an extension is cut short")
		}
		kind, size := header[at], int(binary.BigEndian.Uint16(header[at+1:]))
		at += 3
		if len(header)-at < size {
			return refused("an extension is cut short")
		}
		if kind == tlvCRC32C {
			if summed || size != crc32.Size || !checksumHolds(header, at) {
				return refused("the checksum does not hold")
			}
			summed = true
		}
		at += size
	}
	return nil
}

// checksumHolds computes CRC-32C over the header with zeros in the place of
// the sum itself, which stands at offset at.
func checksumHolds(header []byte, at int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	var zeros [crc32.Size]byte
	sum := crc32.Update(0, table, header[:at])
	sum = crc32.Update(sum, table, zeros[:])
	sum = crc32.Update(sum, table, header[at+crc32.Size:])
	return sum == binary.BigEndian.Uint32(header[at:])
}

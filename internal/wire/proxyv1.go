package wire

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

const v1Prefix = "PROXY "

// v1BytesMax is the longest line of version 1, CRLF included (section 2.1).
const v1BytesMax = 107

func parseV1(buf []byte) (ProxyHeader, int, error) {
	lf := bytes.IndexByte(buf[:min(len(buf), v1BytesMax)], '\n')
	switch {
	case lf < 0 && len(buf) < v1BytesMax:
		return ProxyHeader{}, 0, ErrIncomplete
	case lf < 0:
		return ProxyHeader{}, 0, refused("no line end within 107 bytes")
	case lf < len(v1Prefix) || buf[lf-1] != '\r':
		return ProxyHeader{}, 0, refused("the line ends in LF without CR")
	}
	h, err := parseV1Line(string(buf[len(v1Prefix) : lf-1]))
	if err != nil {
		return ProxyHeader{}, 0, err
	}
	return h, lf + 1, nil
}

func parseV1Line(line string) (ProxyHeader, error) {
	// Whatever follows UNKNOWN must be ignored (section 2.1).
	if line == "UNKNOWN" || strings.HasPrefix(line, "UNKNOWN ") {
		return ProxyHeader{Local: true}, nil
	}
	part := strings.Split(line, " ")
	if len(part) != 5 {
		return ProxyHeader{}, refused("the line is not protocol, two addresses and two ports with one space between them")
	}
	if part[0] != "TCP4" && part[0] != "TCP6" {
		return ProxyHeader{}, refused("the protocol is not TCP4, TCP6 or UNKNOWN")
	}
	source, ok1 := v1AddrPort(part[0], part[1], part[3])
	destination, ok2 := v1AddrPort(part[0], part[2], part[4])
	if !ok1 || !ok2 {
		return ProxyHeader{}, refused("an address or a port is malformed")
	}
	return ProxyHeader{Source: source, Destination: destination}, nil
}

// v1AddrPort accepts the canonical forms of section 2.1: no zone, no leading
// zero in a port.
func v1AddrPort(protocol, address, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || a.Is4() != (protocol == "TCP4") {
		return netip.AddrPort{}, false
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil || (len(port) > 1 && port[0] == '0') {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), true
}

package clientip

import (
	"bytes"
	"errors"
	"net/netip"
	"unsafe"
)

// The reasons for which no client is found. Each is answered with 400.
var (
	ErrMissing   = errors.New("no X-Forwarded-For field")
	ErrMalformed = errors.New("X-Forwarded-For holds something that is not an address")
	ErrAllListed = errors.New("X-Forwarded-For holds listed proxies only")
	ErrTooLong   = errors.New("X-Forwarded-For is too long")
)

const (
	// maxElements bounds what is read of the chain, empty elements included.
	// Chains of proxies that somebody runs on purpose stay below ten.
	maxElements = 32

	// maxElementBytes bounds one element. The longest good one, a quoted and
	// bracketed IPv6 address with an IPv4 tail and a port, has 55.
	maxElementBytes = 64
)

// FromForwarded returns the client that the X-Forwarded-For fields name: all
// values joined in order, read from the right past every address that trusted
// accepts. What stands further left is whatever the client wrote, and is not
// looked at. Elements may carry a port, brackets and quotes; IPv4-mapped
// addresses are unmapped; empty elements are skipped (RFC 9110 5.6.1.2). It does
// not allocate unless it fails.
func FromForwarded(values [][]byte, trusted func(netip.Addr) bool) (netip.Addr, error) {
	elements := 0
	listed := false
	for i := len(values) - 1; i >= 0; i-- {
		rest, more := values[i], true
		for more {
			var element []byte
			rest, element, more = cutLast(rest)
			if elements++; elements > maxElements {
				return netip.Addr{}, ErrTooLong
			}
			if element = bytes.Trim(element, " \t"); len(element) == 0 {
				continue
			}
			a, err := parseElement(element)
			if err != nil {
				return netip.Addr{}, err
			}
			if !trusted(a) {
				return a, nil
			}
			listed = true
		}
	}
	if listed {
		return netip.Addr{}, ErrAllListed
	}
	return netip.Addr{}, ErrMissing
}

// cutLast cuts the last element off a comma-separated list.
func cutLast(list []byte) (rest, last []byte, more bool) {
	comma := bytes.LastIndexByte(list, ',')
	if comma < 0 {
		return nil, list, false
	}
	return list[:comma], list[comma+1:], true
}

// parseElement reads 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] or
// [2001:db8::1]:80, each of them also in double quotes.
func parseElement(e []byte) (netip.Addr, error) {
	if len(e) > maxElementBytes {
		return netip.Addr{}, ErrTooLong
	}
	if e[0] == '"' {
		if len(e) < 2 || e[len(e)-1] != '"' {
			return netip.Addr{}, ErrMalformed
		}
		e = e[1 : len(e)-1]
	}
	host, ok := cutPort(e)
	if !ok {
		return netip.Addr{}, ErrMalformed
	}
	return parseAddr(host)
}

// cutPort takes brackets and a port off an address.
func cutPort(e []byte) (host []byte, ok bool) {
	if len(e) > 0 && e[0] == '[' {
		end := bytes.IndexByte(e, ']')
		if end < 0 || bytes.IndexByte(e[:end], ':') < 0 {
			return nil, false
		}
		after := e[end+1:]
		return e[1:end], len(after) == 0 || after[0] == ':' && isPort(after[1:])
	}
	colon := bytes.IndexByte(e, ':')
	if colon < 0 || bytes.LastIndexByte(e, ':') != colon {
		return e, true // an IPv4 address, or an IPv6 address without a port
	}
	return e[:colon], isPort(e[colon+1:])
}

// isPort reports whether p is a number of a port. Some proxies write 0.
func isPort(p []byte) bool {
	const most = 65535
	if len(p) == 0 || len(p) > len("65535") {
		return false
	}
	n := 0
	for _, c := range p {
		if c < '0' || c > '9' {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return n <= most
}

// parseAddr reads an address without a zone. A zone would name a network
// interface of the machine that wrote the field.
func parseAddr(host []byte) (netip.Addr, error) {
	if len(host) == 0 || bytes.IndexByte(host, '%') >= 0 {
		return netip.Addr{}, ErrMalformed
	}
	// The string shares the bytes of host, which saves the copy: ParseAddr keeps
	// its argument only in its error, and that is dropped here.
	a, err := netip.ParseAddr(unsafe.String(&host[0], len(host)))
	if err != nil {
		return netip.Addr{}, ErrMalformed
	}
	return a.Unmap(), nil
}

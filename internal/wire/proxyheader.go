package wire

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// ProxyHeader is what a PROXY protocol header says about the connection that
// is relayed.
type ProxyHeader struct {
	// Source is the client's address and port, Destination the one that it
	// connected to. IPv4-mapped IPv6 addresses are unmapped. Both are the zero
	// value when Local is set.
	Source, Destination netip.AddrPort
	// Local says that the header names no client: the LOCAL command (the peer
	// itself speaks, as in health checks), UNKNOWN of version 1, UNSPEC of
	// version 2.
	Local bool
}

// ErrIncomplete says that what came so far is the beginning of a header: call
// again with more. At the end of the stream it means that it was cut short.
var ErrIncomplete = errors.New("wire: the PROXY header is not complete yet")

// ErrProxyHeader is wrapped by every refusal of a PROXY header.
var ErrProxyHeader = errors.New("wire: malformed PROXY header")

// ProxyHeaderBytesMax is the longest header that is read: version 2 may
// announce 64 KiB, but addresses take 36 bytes and what load balancers append
// (TLS version, cipher, client name, endpoint ids) some hundred; 4 KiB leave
// room for a client certificate.
const ProxyHeaderBytesMax = 4096

// ParseProxyHeader reads a header at the beginning of buf and returns its
// length. With ErrIncomplete, call again with more bytes; at most
// [ProxyHeaderBytesMax] are ever needed. Bytes that cannot begin a header are
// refused at once. The caller keeps buf[n:].
func ParseProxyHeader(buf []byte) (h ProxyHeader, n int, err error) {
	switch {
	case startsLike(buf, v2Signature):
		return parseV2(buf)
	case startsLike(buf, v1Prefix):
		return parseV1(buf)
	}
	return ProxyHeader{}, 0, refused("the first bytes belong to neither version")
}

// ReadProxyHeader reads a header from r into buf, which must hold at least
// [ProxyHeaderBytesMax] bytes, and returns what r gave beyond the header: a
// part of buf that belongs to the next protocol. Deadlines are the caller's.
func ReadProxyHeader(r io.Reader, buf []byte) (h ProxyHeader, rest []byte, err error) {
	filled := 0
	for {
		got, readErr := r.Read(buf[filled:])
		filled += got
		h, n, err := ParseProxyHeader(buf[:filled])
		switch {
		case err == nil:
			return h, buf[n:filled], nil
		case !errors.Is(err, ErrIncomplete):
			return ProxyHeader{}, nil, err
		case readErr != nil:
			return ProxyHeader{}, nil, fmt.Errorf("%w: %w", err, readErr)
		case filled == len(buf):
			return ProxyHeader{}, nil, refused("it does not fit the buffer")
		}
	}
}

// startsLike reports whether buf begins with prefix as far as it goes.
func startsLike(buf []byte, prefix string) bool {
	n := min(len(buf), len(prefix))
	return string(buf[:n]) == prefix[:n]
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrProxyHeader, why) }

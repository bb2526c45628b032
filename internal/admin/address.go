package admin

import (
	"net"
	"net/netip"
	"strconv"
)

// splitAddress returns the host of "host:port", which may be empty, and whether
// the whole is an address to listen on.
func splitAddress(address string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return host, err == nil
}

// hostIsOurs reports whether a Host field names this machine in a way that a
// web page of a stranger cannot: a literal address, localhost, or the name that
// the listener was configured with. Any other name may have been pointed here by
// its owner to make a browser ask us (DNS rebinding).
func hostIsOurs(field, configured string) bool {
	host := field
	if h, _, err := net.SplitHostPort(field); err == nil {
		host = h
	}
	if host == "localhost" || (configured != "" && host == configured) {
		return true
	}
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

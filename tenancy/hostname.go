package tenancy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// HostBytesMax is the size of a buffer that holds any normalised host: a name
// has at most 253 characters (RFC 1035 section 2.3.4).
const HostBytesMax = 253

// labelBytesMax bounds one label (RFC 1035 section 2.3.4).
const labelBytesMax = 63

// NormalizeHost writes to dst the one form in which hosts are compared: lower
// case, without port and without one trailing dot. It is used for SNI, for the
// authority of requests and, after IDNA, for what is written in a file. It
// reports false for what no served host can be. The result is in dst, which
// needs a capacity of HostBytesMax, so a buffer on the stack will do; nothing
// is allocated.
func NormalizeHost(dst, authority []byte) (host []byte, ok bool) {
	name, ok := cutPort(authority)
	if !ok {
		return nil, false
	}
	return normalizeName(dst, name)
}

// normalizeSNI is NormalizeHost for a name that comes without a port.
func normalizeSNI(dst []byte, sni string) (host []byte, ok bool) {
	var raw [HostBytesMax + 1]byte // one for a trailing dot
	if len(sni) > len(raw) {
		return nil, false
	}
	return normalizeName(dst, raw[:copy(raw[:], sni)])
}

func normalizeName(dst, name []byte) (host []byte, ok bool) {
	if n := len(name); n > 1 && name[n-1] == '.' {
		name = name[:n-1]
	}
	if len(name) == 0 || len(name) > HostBytesMax {
		return nil, false
	}
	if name[0] == '[' {
		return appendAddress(dst[:0], name)
	}
	return appendName(dst[:0], name)
}

// cutPort removes ":port". The port itself is ignored wherever hosts are
// compared, but it must be one.
func cutPort(authority []byte) (name []byte, ok bool) {
	end := 0
	if len(authority) > 0 && authority[0] == '[' {
		if end = bytes.IndexByte(authority, ']'); end < 0 {
			return nil, false
		}
	}
	colon := bytes.IndexByte(authority[end:], ':')
	if colon < 0 {
		return authority, true
	}
	port := authority[end+colon+1:]
	if len(port) == 0 || len(port) > 5 {
		return nil, false
	}
	number := 0
	for _, c := range port {
		if c < '0' || c > '9' {
			return nil, false
		}
		number = number*10 + int(c-'0')
	}
	return authority[:end+colon], number <= 65535
}

// appendName appends a name of letters, digits, hyphens and underscores in
// labels, in lower case. IPv4 addresses are of this form, too; no host of the
// table is one.
func appendName(dst, name []byte) ([]byte, bool) {
	label := 0
	for _, c := range name {
		switch {
		case c == '.':
			if label == 0 {
				return nil, false
			}
			label = -1
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return nil, false
		}
		if label++; label > labelBytesMax {
			return nil, false
		}
		dst = append(dst, c)
	}
	if label == 0 {
		return nil, false
	}
	return dst, true
}

// appendAddress appends an IPv6 address with its brackets. It is judged by its
// characters only: no host of the table is one.
func appendAddress(dst, name []byte) ([]byte, bool) {
	if len(name) < 4 || name[len(name)-1] != ']' {
		return nil, false
	}
	dst = append(dst, '[')
	for _, c := range name[1 : len(name)-1] {
		switch {
		case 'A' <= c && c <= 'F':
			c += 'a' - 'A'
		case 'a' <= c && c <= 'f', '0' <= c && c <= '9', c == ':', c == '.':
		default:
			return nil, false
		}
		dst = append(dst, c)
	}
	return append(dst, ']'), true
}

// parentOf returns what follows the first label: the key under which a
// wildcard that covers host is found.
func parentOf(host []byte) (parent []byte, ok bool) {
	dot := bytes.IndexByte(host, '.')
	if dot < 0 {
		return nil, false
	}
	return host[dot+1:], true
}

// parseHost returns the normalised form of a host as written in a file: an
// exact name or "*.name". Its error says what is wrong with the text and what
// is expected.
func parseHost(text string) (string, error) {
	name, wildcard := strings.CutPrefix(text, "*.")
	switch {
	case strings.Contains(text, "://"):
		return "", fmt.Errorf("%q is a URL; a host is a name like %q", text, "pa.acme.example")
	case strings.Contains(name, "*"):
		return "", fmt.Errorf("%q has a * that is not its whole first label; a wildcard is written like %q", text, "*.acme.example")
	case strings.Contains(name, "/"):
		return "", fmt.Errorf("%q has a path; a host is a name alone, and paths are written below routes", text)
	case isAddress(name):
		return "", fmt.Errorf("%q is an address; a host is a name, because TLS clients name none for an address", text)
	case strings.Contains(name, ":"):
		return "", fmt.Errorf("%q has a port; a host is served on every port that is listened on", text)
	}
	ascii, ok := asciiName(name)
	if !ok {
		return "", fmt.Errorf("%q is not a host name; expected letters, digits and hyphens in labels of at most 63 characters", text)
	}
	if last := ascii[strings.LastIndexByte(ascii, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return "", fmt.Errorf("%q ends in a number, as addresses do; a host is a name", text)
	}
	if wildcard {
		ascii = "*." + ascii
	}
	return ascii, nil
}

// asciiName brings a name to the form of NormalizeHost. Characters beyond
// ASCII become what browsers send for them (RFC 5891 section 5).
func asciiName(name string) (ascii string, ok bool) {
	if strings.ContainsFunc(name, func(c rune) bool { return c > 0x7f }) {
		converted, err := idna.Lookup.ToASCII(name)
		if err != nil {
			return "", false
		}
		name = converted
	}
	host, ok := NormalizeHost(make([]byte, 0, HostBytesMax), []byte(name))
	if !ok || host[0] == '[' {
		return "", false
	}
	for label := range strings.SplitSeq(string(host), ".") {
		if label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
	}
	return string(host), true
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

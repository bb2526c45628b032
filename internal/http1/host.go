package http1

import "bytes"

const (
	// hostNameBytesMax and labelBytesMax are the bounds of DNS (RFC 1035
	// section 2.3.4), a trailing dot aside.
	hostNameBytesMax = 253
	labelBytesMax    = 63
)

// host judges the Host field (RFC 9110 section 7.2).
func (h *RequestHead) host(value []byte) *rule {
	name, port, ok := SplitHost(value)
	if !ok {
		return errHostForm
	}
	h.Host, h.HostName, h.Port = value, name, port
	return nil
}

// SplitHost parses uri-host [":" port] of RFC 3986 section 3.2.2, less what no
// served name can be: percent-encoding, sub-delimiters (the comma of a listed
// Host among them), empty labels, IPvFuture and zones, an empty port, port 0
// and leading zeros. Port is 0 when none is written.
func SplitHost(b []byte) (name []byte, port uint16, ok bool) {
	name = b
	after := 0 // where a colon begins the port
	if len(b) > 0 && b[0] == '[' {
		after = bytes.IndexByte(b, ']') + 1
	}
	if i := bytes.IndexByte(b[after:], ':'); i >= 0 {
		name = b[: after+i : after+i]
		if port, ok = parsePort(b[after+i+1:]); !ok {
			return nil, 0, false
		}
	}
	if after > 0 {
		ok = len(name) == after && isIPv6(name[1:after-1])
	} else {
		ok = isHostName(name)
	}
	return name, port, ok
}

func parsePort(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return uint16(n), n <= 65535
}

// isHostName admits letters, digits, '-' and '_' (which names in the field
// carry, whatever RFC 952 says) in labels, with one trailing dot at most. IPv4
// addresses are of this form.
func isHostName(b []byte) bool {
	if n := len(b); n > 0 && b[n-1] == '.' {
		b = b[:n-1]
	}
	if len(b) > hostNameBytesMax {
		return false
	}
	label := 0
	for _, c := range b {
		switch {
		case c == '.' && label > 0:
			label = 0
			continue
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c), c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > labelBytesMax {
			return false
		}
	}
	return label > 0
}

// isIPv6 checks the text forms of RFC 4291 section 2.2 without a zone. It
// exists because netip.ParseAddr takes a string and would allocate.
func isIPv6(b []byte) bool {
	groups, compressed := 0, false
	if startsCompression(b) {
		compressed, b = true, b[2:]
	}
	for len(b) > 0 {
		digits := hexDigits(b)
		if digits < len(b) && b[digits] == '.' {
			return isIPv4(b) && groupsFit(groups+2, compressed)
		}
		if digits == 0 || digits > 4 {
			return false
		}
		groups++
		b = b[digits:]
		switch {
		case len(b) == 0:
		case startsCompression(b) && !compressed:
			compressed, b = true, b[2:]
		case b[0] == ':' && len(b) > 1:
			b = b[1:]
		default:
			return false
		}
	}
	return groupsFit(groups, compressed)
}

func startsCompression(b []byte) bool { return len(b) >= 2 && b[0] == ':' && b[1] == ':' }

// groupsFit: "::" stands for at least one group of zeros.
func groupsFit(groups int, compressed bool) bool {
	if compressed {
		return groups < 8
	}
	return groups == 8
}

func hexDigits(b []byte) int {
	n := 0
	for n < len(b) && hexValue(b[n]) >= 0 {
		n++
	}
	return n
}

// hexValue returns the value of a hexadecimal digit, -1 for another byte.
func hexValue(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func isIPv4(b []byte) bool {
	for part := range 4 {
		n, digits := 0, 0
		for digits < len(b) && digits < 3 && isDigit(b[digits]) {
			n = n*10 + int(b[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || (digits > 1 && b[0] == '0') {
			return false
		}
		b = b[digits:]
		if part < 3 {
			if len(b) == 0 || b[0] != '.' {
				return false
			}
			b = b[1:]
		}
	}
	return len(b) == 0
}

// sameAuthority compares what an absolute target and Host say, after case
// folding, without one trailing dot and without the default port of the
// scheme. Both have been judged by SplitHost.
func sameAuthority(authority, host []byte, scheme string) bool {
	aName, aPort, _ := SplitHost(authority)
	hName, hPort, _ := SplitHost(host)
	standard := uint16(80)
	if scheme == "https" {
		standard = 443
	}
	if aPort == 0 {
		aPort = standard
	}
	if hPort == 0 {
		hPort = standard
	}
	return aPort == hPort && equalFoldBytes(undotted(aName), undotted(hName))
}

func undotted(name []byte) []byte {
	if n := len(name); n > 0 && name[n-1] == '.' {
		return name[:n-1]
	}
	return name
}

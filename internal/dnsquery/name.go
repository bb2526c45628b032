package dnsquery

import (
	"strings"

	"github.com/miekg/dns"
)

// absolute returns a host name as DNS knows it: lower case, with its last dot.
// It takes what a host can be called, and the underscores of service labels.
func absolute(name string) (string, bool) {
	name = strings.ToLower(dns.Fqdn(name))
	if _, ok := dns.IsDomainName(name); !ok || name == "." {
		return name, false
	}
	for i, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && name[i-1] != '.':
		default:
			return name, false
		}
	}
	return name, true
}

// shown is a name without its last dot, as operators write it.
func shown(name string) string {
	if name == "." {
		return name
	}
	return printable(strings.TrimSuffix(name, "."))
}

// parent returns the name above, or the empty string for a name of one label:
// the root is nobody's.
func parent(name string) string {
	off, end := dns.NextLabel(name, 0)
	if end {
		return ""
	}
	return name[off:]
}

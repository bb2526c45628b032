package dns01

import "strings"

const (
	nameBytesMax  = 253 // RFC 1035, without the last dot
	labelBytesMax = 63
)

// normal returns a host name in lower case, without its last dot and without
// the star of a wildcard.
func normal(name string) string {
	return strings.TrimPrefix(strings.ToLower(strings.TrimSuffix(name, ".")), "*.")
}

// isName reports whether a name, lower case and without its last dot, can stand
// in DNS as a host or below an underscore.
func isName(name string) bool {
	if name == "" || len(name) > nameBytesMax {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > labelBytesMax {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

package tenancy

import "strconv"

// AppendLocation appends the https address of what a request over plain HTTP
// asked for: where a Redirect sends the client. Name and port come from the
// table, of a wildcard's name what the wildcard stands for; target, the path
// and query of the request, is copied as it came and must have been parsed.
// With room in dst it does not allocate.
func (t *Table) AppendLocation(dst []byte, h *Host, authority, target []byte) []byte {
	return append(t.appendOrigin(dst, h, authority), target...)
}

// appendOrigin appends scheme, name and port.
func (t *Table) appendOrigin(dst []byte, h *Host, authority []byte) []byte {
	dst = append(dst, "https://"...)
	if h.wildcard {
		var buffer [HostBytesMax]byte
		name, _ := NormalizeHost(buffer[:0], authority)
		dst = append(dst, name...)
	} else {
		dst = append(dst, h.name...)
	}
	if t.publicPort != httpsPort {
		dst = append(dst, ':')
		dst = strconv.AppendInt(dst, int64(t.publicPort), 10)
	}
	return dst
}

// httpsPort is the port that an https URL does not write.
const httpsPort = 443

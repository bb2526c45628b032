package proxy

import (
	"bytes"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"gatehouse/internal/compress"
	"gatehouse/tenancy"
)

// What a client sent is cut to these lengths before it is escaped, so that a
// line stays below 16 KiB whatever it holds.
const (
	logHostMax   = 255  // the longest host name, with a port
	logMethodMax = 32   // the longest method that is accepted
	logPathMax   = 1024 // enough to tell which page; single sign-on puts more in queries
	logQueryMax  = 1024
)

// The networks that a masked address shows: those that one provider commonly
// gives to one customer or site.
const (
	maskBits4 = 24
	maskBits6 = 48
)

// accessTime is RFC 3339 in UTC with milliseconds.
const accessTime = "2006-01-02T15:04:05.000Z"

// appendLine appends the JSON line of an exchange. It holds no field value of
// the request or the answer; what a client chose is escaped and bounded.
func (l *accessLog) appendLine(b []byte, ex *exchange, now time.Time) []byte {
	b = append(b, `{"time":"`...)
	b = now.UTC().AppendFormat(b, accessTime)
	b = append(b, `","ref":"`...)
	b = append(b, ex.ref[:]...)
	b = append(b, `","tenant":"`...)
	b = append(b, ex.tenantID()...)
	b = append(b, `","client":"`...)
	b = l.client.append(b, ex.client)
	b = appendQuoted(b, `","host":"`, ex.authority, logHostMax)
	b = appendQuoted(b, `","method":"`, ex.method, logMethodMax)
	b = appendQuoted(b, `","path":"`, ex.path, logPathMax)
	if l.query != QueryDrop && len(ex.query) > 0 {
		b = l.appendQuery(b, ex.query)
	}
	b = append(b, `","protocol":"`...)
	b = append(b, ex.proto...)
	b = append(b, `","status":`...)
	b = strconv.AppendInt(b, int64(ex.status), 10)
	if ex.reason != tenancy.NoReason {
		b = append(b, `,"reason":"`...)
		b = append(b, ex.reason.String()...)
		b = append(b, '"')
	}
	b = appendNumber(b, `,"bytes_in":`, ex.bytesIn.Load())
	b = appendNumber(b, `,"bytes_out":`, ex.bytesOut)
	if ex.coding != compress.Identity {
		b = append(b, `,"coding":"`...)
		b = append(b, ex.coding.String()...)
		b = append(b, '"')
	}
	b = appendMillis(b, `,"duration_ms":`, now.Sub(ex.started))
	if ex.queued > 0 {
		b = appendMillis(b, `,"queued_ms":`, ex.queued)
	}
	if ex.asked > 0 {
		b = appendMillis(b, `,"auth_ms":`, ex.asked)
	}
	if ex.backend != "" {
		b = appendBackend(b, ex)
	}
	return append(b, '}', '\n')
}

func appendBackend(b []byte, ex *exchange) []byte {
	b = append(b, `,"backend":"`...)
	b = append(b, ex.backend...)
	if ex.address.IsValid() {
		b = append(b, `","address":"`...)
		b = ex.address.AppendTo(b)
	}
	b = appendNumber(b, `","attempts":`, int64(ex.attempts))
	if ex.canary {
		b = append(b, `,"canary":true`...)
	}
	if ex.mirrored {
		b = append(b, `,"mirrored":true`...)
	}
	if ex.connected > 0 {
		b = appendMillis(b, `,"connect_ms":`, ex.connected)
	}
	if ex.firstByte > 0 {
		b = appendMillis(b, `,"first_byte_ms":`, ex.firstByte)
	}
	return b
}

// tenantID is whose request it is: the tenant that its authority names, else
// the one that the handshake named; "" for nobody.
func (ex *exchange) tenantID() string {
	if ex.verdict.Tenant != nil {
		return ex.verdict.Tenant.ID()
	}
	return ex.peer.tenantID
}

// appendQuery appends a query as the operator wants to see it.
func (l *accessLog) appendQuery(b, query []byte) []byte {
	if l.query == QueryFull {
		return appendQuoted(b, `","query":"`, query, logQueryMax)
	}
	b = append(b, `","query":"`...)
	left := logQueryMax
	for part := range bytes.SplitSeq(query, []byte{'&'}) {
		name, _, _ := bytes.Cut(part, []byte{'='})
		if left <= 0 {
			break
		}
		if left < logQueryMax {
			b = append(b, '&')
		}
		b = appendEscaped(b, name, left)
		left -= len(name) + 1
	}
	return b
}

func appendNumber(b []byte, key string, n int64) []byte {
	b = append(b, key...)
	return strconv.AppendInt(b, n, 10)
}

// appendMillis appends a duration in milliseconds with three decimals.
func appendMillis(b []byte, key string, d time.Duration) []byte {
	b = append(b, key...)
	micros := max(d, 0).Microseconds()
	b = strconv.AppendInt(b, micros/1000, 10)
	rest := micros % 1000
	return append(b, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// appendQuoted appends a key and what a client sent, without the closing quote.
func appendQuoted(b []byte, key string, value []byte, most int) []byte {
	b = append(b, key...)
	return appendEscaped(b, value, most)
}

// appendEscaped appends at most so many bytes of value as the inside of a JSON
// string (RFC 8259 section 7). What is cut off shows as an ellipsis, what is not
// UTF-8 as the replacement character.
func appendEscaped(b, value []byte, most int) []byte {
	cut := len(value) > most
	if cut {
		value = value[:max(most, 0)]
	}
	start := 0
	for i := 0; i < len(value); {
		c := value[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(value[i:])
			if r != utf8.RuneError {
				i += n
				continue
			}
			size = n
		}
		b = append(b, value[start:i]...)
		b = appendEscape(b, c)
		i += size
		start = i
	}
	b = append(b, value[start:]...)
	if cut {
		b = append(b, "…"...)
	}
	return b
}

// appendEscape appends a byte that cannot stand in a JSON string as it is.
func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c >= utf8.RuneSelf:
		return append(b, `\ufffd`...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// append appends an address as the operator wants to see it.
func (m LogClient) append(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	if m == ClientFull {
		return a.AppendTo(b)
	}
	bits := maskBits6
	if a.Is4() {
		bits = maskBits4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return b
	}
	return p.AppendTo(b)
}

// show is append for the logger of events.
func (m LogClient) show(a netip.Addr) string { return string(m.append(nil, a)) }

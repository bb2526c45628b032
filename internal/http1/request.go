package http1

import "bytes"

// RequestHead is the head of a request. Its slices are views into the buffer
// given to Parse, unless a comment says otherwise; they must not be changed.
// The zero value is ready; one RequestHead serves all requests of a
// connection and is not safe for concurrent use.
type RequestHead struct {
	Method []byte // case-sensitive token, never CONNECT
	Target []byte // as received

	// AbsoluteScheme is "http" or "https" when the target came in absolute
	// form (RFC 9112 section 3.2.2), else "". Authority is then its authority.
	AbsoluteScheme string
	Authority      []byte

	// Path is the target up to '?', byte for byte: it begins with '/', or is
	// "*" for OPTIONS. An absolute target without a path has "/", or "*" when
	// an OPTIONS has no query either; that one byte is not a view into the
	// buffer but lives in the RequestHead. Query is what follows the '?'.
	Path, Query []byte
	HasQuery    bool // there is a '?', so that an empty query is kept

	// Host is the value of the one Host field: a DNS name, an IPv4 address or
	// an IPv6 address in brackets, and perhaps a port. HostName is the part
	// before the port, Port the number, 0 when none is written.
	Host, HostName []byte
	Port           uint16

	Minor  uint8   // 0 or 1
	Fields []Field // all of them, in order; valid until the next Parse or Reset

	Framing       Framing // NoBody, ContentLength or Chunked
	ContentLength int64   // bytes of the body; -1 when Chunked

	KeepAlive       bool // the client allows another request
	ExpectContinue  bool // a body follows, and the client waits for 100 before it
	WebSocket       bool // GET without a body that asks to switch to websocket and nothing else
	AcceptsTrailers bool // TE names trailers

	lines      lines
	connection connection
	framing    framing
	upgrades   int     // Upgrade fields
	websocket  bool    // the last Upgrade field is exactly "websocket"
	expect     bool    // Expect is exactly "100-continue"
	expectElse bool    // Expect says something else
	rootPath   [1]byte // backs Path where the target has none
}

// Reset forgets a head, parsed or half parsed, and the views into the buffer.
func (h *RequestHead) Reset() {
	clear(h.Fields)
	fields, lines, connection := h.Fields[:0], h.lines, h.connection
	lines.reset()
	connection.reset()
	*h = RequestHead{Fields: fields, lines: lines, connection: connection}
}

// Parse reads a head at the beginning of buf and returns its length, the empty
// line included; one empty line before the request line is skipped and counted
// (RFC 9112 section 2.2). With ErrIncomplete, call again with the same bytes,
// at whatever address, and more behind them: no byte is looked at twice for
// line ends, and bad line ends and too much of anything are refused as soon as
// they are seen, the rest when the head is there. Any other error is a *[Error]
// and final. After a result, Parse begins anew.
func (h *RequestHead) Parse(buf []byte, lim Limits) (int, error) {
	n, r := h.find(buf, &lim)
	if r == nil && n == 0 {
		return 0, ErrIncomplete
	}
	if r == nil {
		r = h.judge(buf, &lim)
	}
	h.lines.reset()
	if r != nil {
		return 0, &r.request
	}
	return n, nil
}

// find looks for the end of the head; 0 says that it is not there yet.
func (h *RequestHead) find(buf []byte, lim *Limits) (int, *rule) {
	if len(buf) > 0 && buf[0] != '\r' && !tokenBytes[buf[0]] {
		if buf[0] == '\n' {
			return 0, errBareLF
		}
		return 0, errFirstByte
	}
	seen := buf[:min(len(buf), lim.HeadBytes)]
	n, r := h.lines.scan(seen, lim.TargetBytes+requestLineExtra, lim.Fields)
	if r == nil && n == 0 && len(seen) >= lim.HeadBytes {
		r = errHeadLong
	}
	return n, r
}

// judge parses the head whose line ends are known.
func (h *RequestHead) judge(buf []byte, lim *Limits) *rule {
	h.begin()
	if r := h.requestLine(h.lines.first(buf), lim); r != nil {
		return r
	}
	for i, end := range h.lines.ends[1:] {
		f, r := parseField(buf[h.lines.ends[i] : end-2])
		if r == nil {
			h.Fields = append(h.Fields, f)
			r = h.field(f)
		}
		if r != nil {
			return r
		}
	}
	return h.conclude()
}

// begin clears what the fields of the former request have left.
func (h *RequestHead) begin() {
	h.Fields = h.Fields[:0]
	h.connection.reset()
	h.framing = framing{}
	h.Host, h.HostName, h.Port = nil, nil, 0
	h.AbsoluteScheme, h.Authority = "", nil
	h.AcceptsTrailers = false
	h.upgrades, h.websocket, h.expect, h.expectElse = 0, false, false, false
}

// requestLine splits the line at its two single spaces (RFC 9112 section 3).
func (h *RequestHead) requestLine(line []byte, lim *Limits) *rule {
	method, rest, ok1 := cutSpace(line)
	target, version, ok2 := cutSpace(rest)
	switch {
	case len(target) > lim.TargetBytes:
		return errTargetLong
	case !ok1 || !ok2 || len(target) == 0 || bytes.IndexByte(version, ' ') >= 0:
		return errRequestLine
	case len(method) > methodBytesMax || !IsToken(method):
		return errMethod
	case !IsTarget(target):
		return errTargetByte
	}
	minor, r := parseVersion(version)
	if r != nil {
		return r
	}
	h.Method, h.Target, h.Minor = method, target, minor
	if string(method) == "CONNECT" {
		return errConnect
	}
	return h.splitTarget()
}

func cutSpace(b []byte) (before, after []byte, found bool) {
	i := bytes.IndexByte(b, ' ')
	if i < 0 {
		return b, nil, false
	}
	return b[:i:i], b[i+1:], true
}

// parseVersion returns the minor version (RFC 9112 section 2.3).
func parseVersion(b []byte) (uint8, *rule) {
	switch {
	case string(b) == "HTTP/1.1":
		return 1, nil
	case string(b) == "HTTP/1.0":
		return 0, nil
	case len(b) == 8 && string(b[:5]) == "HTTP/" && isDigit(b[5]) && b[6] == '.' && isDigit(b[7]):
		return 0, errVersion
	}
	return 0, errVersionForm
}

// field takes note of a field that decides about the message itself.
func (h *RequestHead) field(f Field) *rule {
	switch kindOf(f.Name) {
	case hostField:
		if h.Host != nil {
			return errHostTwice
		}
		return h.host(f.Value)
	case connectionField:
		return h.connection.add(f.Value)
	case contentLengthField:
		return h.framing.addLength(f.Value)
	case transferEncodingField:
		return h.framing.addCoding(f.Value)
	case expectField:
		h.expect = EqualFold(f.Value, "100-continue")
		h.expectElse = h.expectElse || !h.expect
	case upgradeField:
		h.upgrades++
		h.websocket = EqualFold(f.Value, "websocket")
	case teField:
		h.AcceptsTrailers = h.AcceptsTrailers || hasElement(f.Value, "trailers")
	}
	return nil
}

func hasElement(list []byte, lower string) bool {
	for len(list) > 0 {
		var e []byte
		e, list = element(list)
		if EqualFold(e, lower) {
			return true
		}
	}
	return false
}

// conclude judges what needs all fields.
func (h *RequestHead) conclude() *rule {
	if h.Host == nil {
		return errHostMissing
	}
	if h.AbsoluteScheme != "" && !sameAuthority(h.Authority, h.Host, h.AbsoluteScheme) {
		return errHostMismatch
	}
	if r := h.framing.check(h.Minor); r != nil {
		return r
	}
	// An HTTP/1.0 client cannot wait for an interim answer (RFC 9110 section
	// 10.1.1).
	if h.expectElse && h.Minor == 1 {
		return errExpectation
	}
	h.Framing, h.ContentLength = h.framing.body(NoBody)
	h.KeepAlive = h.connection.persists(h.Minor)
	h.ExpectContinue = h.expect && h.Minor == 1 && h.HasBody()
	h.WebSocket = h.Minor == 1 && h.upgrades == 1 && h.websocket && h.connection.upgrade &&
		!h.HasBody() && string(h.Method) == "GET"
	return nil
}

// HasBody reports whether at least one byte of body, or a chunk, follows.
func (h *RequestHead) HasBody() bool {
	return h.Framing == Chunked || h.ContentLength > 0
}

// Nominated reports whether a Connection field names this field, which then
// belongs to this connection alone and must not be passed on.
func (h *RequestHead) Nominated(name []byte) bool { return h.connection.nominated(name) }

package http1

// ResponseHead is the head of a response. Its slices are views into the buffer
// given to Parse and must not be changed. The zero value is ready; one
// ResponseHead serves all responses of a connection and is not safe for
// concurrent use.
type ResponseHead struct {
	Minor  uint8   // 0 or 1
	Status int     // 100 to 599
	Reason []byte  // as received, may be empty
	Fields []Field // all of them, in order; valid until the next Parse or Reset

	Framing Framing
	// ContentLength is the number of bytes that follow: 0 with NoBody, whatever
	// the field says (HEAD, 304), -1 with Chunked and UntilClose.
	ContentLength int64

	KeepAlive bool // the connection may carry another request once the body is read
	WebSocket bool // 101 that switches to websocket and nothing else

	lines      lines
	connection connection
	framing    framing
	upgrades   int
	websocket  bool
}

// Reset forgets a head, parsed or half parsed, and the views into the buffer.
func (h *ResponseHead) Reset() {
	clear(h.Fields)
	fields, lines, connection := h.Fields[:0], h.lines, h.connection
	lines.reset()
	connection.reset()
	*h = ResponseHead{Fields: fields, lines: lines, connection: connection}
}

// Parse reads a head at the beginning of buf and returns its length, the empty
// line included. method is that of the request, because an answer to HEAD has
// no body. The rest is as with [RequestHead.Parse]; an interim answer (1xx) is
// a head of its own, another one follows it.
func (h *ResponseHead) Parse(buf, method []byte, lim Limits) (int, error) {
	n, r := h.find(buf, &lim)
	if r == nil && n == 0 {
		return 0, ErrIncomplete
	}
	if r == nil {
		r = h.judge(buf, method)
	}
	h.lines.reset()
	if r != nil {
		return 0, &r.response
	}
	return n, nil
}

// find looks for the end of the head; 0 says that it is not there yet.
func (h *ResponseHead) find(buf []byte, lim *Limits) (int, *rule) {
	if len(buf) > 0 && buf[0] != 'H' {
		return 0, errFirstByte
	}
	seen := buf[:min(len(buf), lim.HeadBytes)]
	n, r := h.lines.scan(seen, lim.HeadBytes, lim.Fields)
	if r == nil && n == 0 && len(seen) >= lim.HeadBytes {
		r = errHeadLong
	}
	return n, r
}

func (h *ResponseHead) judge(buf, method []byte) *rule {
	h.Fields = h.Fields[:0]
	h.connection.reset()
	h.framing, h.upgrades, h.websocket = framing{}, 0, false
	if r := h.statusLine(h.lines.first(buf)); r != nil {
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
	return h.conclude(method)
}

// statusLine parses HTTP-version SP 3DIGIT [SP reason] (RFC 9112 section 4).
// The space before an absent reason is missing in enough servers, and nothing
// can be misread without it.
func (h *ResponseHead) statusLine(line []byte) *rule {
	const version, status = len("HTTP/1.1"), len("HTTP/1.1 200")
	if len(line) < status || line[version] != ' ' || (len(line) > status && line[status] != ' ') {
		return errStatusLine
	}
	minor, r := parseVersion(line[:version])
	if r != nil {
		return r
	}
	code := 0
	for _, c := range line[version+1 : status] {
		if !isDigit(c) {
			return errStatusLine
		}
		code = code*10 + int(c-'0')
	}
	if code < 100 || code > 599 {
		return errStatusCode
	}
	h.Minor, h.Status, h.Reason = minor, code, nil
	if len(line) > status {
		h.Reason = line[status+1:]
	}
	if !IsFieldValue(h.Reason) {
		return errStatusReason
	}
	return nil
}

// field takes note of a field that decides about the message itself.
func (h *ResponseHead) field(f Field) *rule {
	switch kindOf(f.Name) {
	case connectionField:
		return h.connection.add(f.Value)
	case contentLengthField:
		return h.framing.addLength(f.Value)
	case transferEncodingField:
		return h.framing.addCoding(f.Value)
	case upgradeField:
		h.upgrades++
		h.websocket = EqualFold(f.Value, "websocket")
	}
	return nil
}

// conclude applies RFC 9112 section 6.3 to the answer of method.
func (h *ResponseHead) conclude(method []byte) *rule {
	if r := h.framing.check(h.Minor); r != nil {
		return r
	}
	announced, length := h.framing.body(UntilClose)
	announces := announced == Chunked || length > 0
	switch {
	case h.Status < 200 && h.Status != 101 && announces:
		return errInterimBody
	case h.Status < 200 || h.Status == 204 || h.Status == 304 || string(method) == "HEAD":
		h.Framing, h.ContentLength = NoBody, 0
	default:
		h.Framing, h.ContentLength = announced, length
	}
	// A 204 that announces a body may send one, which would be read as the
	// beginning of the next answer (RFC 9112 section 6.1, RFC 9110 section 8.6).
	doubtful := h.Framing == UntilClose || h.Status == 101 || h.Status == 204 && announces
	h.KeepAlive = !doubtful && h.connection.persists(h.Minor)
	h.WebSocket = h.Status == 101 && h.Minor == 1 && h.upgrades == 1 && h.websocket && h.connection.upgrade
	return nil
}

// Nominated reports whether a Connection field names this field, which then
// belongs to this connection alone and must not be passed on.
func (h *ResponseHead) Nominated(name []byte) bool { return h.connection.nominated(name) }

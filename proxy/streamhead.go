package proxy

import (
	"bytes"
	"net/http"
	"strings"

	"gatehouse/internal/http1"
)

// What HTTP/2 requests are refused for that the library lets through. Each
// would mean something else to an HTTP/1.1 backend than it did here.
var (
	errStreamMethod    = &http1.Error{Status: http.StatusBadRequest, Text: ":method is not a token"}
	errStreamTarget    = &http1.Error{Status: http.StatusBadRequest, Text: ":path is not an origin form"}
	errStreamLong      = &http1.Error{Status: http.StatusRequestURITooLong, Text: ":path is too long"}
	errStreamScheme    = &http1.Error{Status: http.StatusBadRequest, Text: ":scheme is not https"}
	errStreamHost      = &http1.Error{Status: http.StatusBadRequest, Text: "Host and :authority do not agree"}
	errStreamAuthority = &http1.Error{Status: http.StatusBadRequest, Text: ":authority is not a host"}
	errStreamLength    = &http1.Error{Status: http.StatusBadRequest, Text: "Content-Length is not one number that fits the body"}
	errStreamCoding    = &http1.Error{Status: http.StatusBadRequest, Text: "a field that belongs to HTTP/1.1 connections"}
	errStreamExpect    = &http1.Error{Status: http.StatusExpectationFailed, Text: "an Expect that is not 100-continue"}
	errStreamFields    = &http1.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Text: "too many fields, or too long ones"}
	errStreamField     = &http1.Error{Status: http.StatusBadRequest, Text: "a field with bytes that must not stand there"}
	errBodyLength      = &http1.Error{Status: http.StatusBadRequest, Text: "the body is not as long as Content-Length says"}
)

// fill takes method, target, authority and fields from the library's request,
// and refuses what could be read in two ways.
func (st *stream) fill(ex *exchange) *http1.Error {
	r := st.r
	ex.proto = "HTTP/2.0"
	ex.method, ex.authority = []byte(r.Method), []byte(r.Host)
	if r.Method != http.MethodConnect {
		ex.path, ex.query, ex.hasQuery = bytes.Cut([]byte(r.RequestURI), []byte{'?'})
	}
	ex.fields = appendFields(nil, r.Header)
	ex.trailers = strings.EqualFold(r.Header.Get("Te"), "trailers")
	switch length := r.ContentLength; {
	case length < 0:
		ex.framing = http1.Chunked
	case length > 0 || len(r.Header["Content-Length"]) > 0:
		ex.framing = http1.ContentLength
	}
	st.isEnded.Store(r.ContentLength == 0)
	return st.strict(ex)
}

// strict judges what fill has taken.
func (st *stream) strict(ex *exchange) *http1.Error {
	r, limits := st.r, &st.conn.peer.limits.Request
	connect := r.Method == http.MethodConnect // answered by the table, as on HTTP/1.1
	_, _, isHost := http1.SplitHost(ex.authority)
	switch {
	case !http1.IsToken(ex.method):
		return errStreamMethod
	case r.TLS == nil && !connect:
		return errStreamScheme
	case len(r.RequestURI) > limits.TargetBytes:
		return errStreamLong
	case !connect && !isOriginForm(r.Method, r.RequestURI):
		return errStreamTarget
	case !isHost:
		return errStreamAuthority
	case len(ex.fields) > limits.Fields, headBytes(ex) > limits.HeadBytes:
		return errStreamFields
	}
	for _, f := range ex.fields {
		if !http1.IsToken(f.Name) || !http1.IsFieldValue(f.Value) {
			return errStreamField
		}
	}
	return strictHeader(r)
}

// headBytes is how long the head of a request is when it is written as one of
// HTTP/1.1, which is what limits count.
func headBytes(ex *exchange) int {
	const line, field = len("  HTTP/1.1\r\n"), len(": \r\n")
	n := len(ex.method) + len(ex.path) + len(ex.query) + line + len("Host") + len(ex.authority) + field + len(crlf)
	if ex.hasQuery {
		n++
	}
	for _, f := range ex.fields {
		n += len(f.Name) + len(f.Value) + field
	}
	return n
}

// isOriginForm reports whether target is a path with a query, or "*" for
// OPTIONS (RFC 9113 section 8.3.1).
func isOriginForm(method, target string) bool {
	if method == http.MethodOptions && target == "*" {
		return true
	}
	return strings.HasPrefix(target, "/") && http1.IsTarget([]byte(target))
}

// strictHeader judges the fields that frame and route.
func strictHeader(r *http.Request) *http1.Error {
	hosts, lengths := r.Header["Host"], r.Header["Content-Length"]
	switch {
	case len(hosts) > 1, len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		return errStreamHost
	case len(r.Header["Transfer-Encoding"]) > 0, len(r.Header["Upgrade"]) > 0, len(r.Header["Connection"]) > 0:
		return errStreamCoding
	case len(r.Header["Expect"]) > 0: // the library has taken 100-continue away
		return errStreamExpect
	case len(lengths) > 1, len(lengths) == 1 && !isLength(lengths[0], r.ContentLength):
		return errStreamLength
	}
	return nil
}

// isLength reports whether text is a plain decimal number, and the one that the
// library has found.
func isLength(text string, n int64) bool {
	return text == string(http1.AppendInt(nil, max(n, 0)))
}

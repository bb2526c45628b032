package proxy

import (
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

const (
	// allowedMethods is what a 405 must say (RFC 9110 15.5.6). Any method but
	// CONNECT reaches the backend; these are the registered ones in use.
	allowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	// retryAfter is the Retry-After of a 503 in seconds: a restart is over by
	// then.
	retryAfter = "5"
	// closedRetry is the Retry-After of what operators have closed and nobody
	// knows until when: seldom enough for a thousand browsers that wait.
	closedRetry = 5 * time.Minute
)

// page is the body of an answer of our own, cut where the ref goes.
type page struct {
	before, after []byte
	whole         []byte // an operator's, which shows no ref; nil for ours
}

// length returns the length of the page with a ref in it.
func (p *page) length() int {
	if p.whole != nil {
		return len(p.whole)
	}
	return len(p.before) + refBytes + len(p.after)
}

// pages holds a page for each status that we answer with. They name no reason,
// product, tenant or backend: whoever is refused learns the status and a ref
// to quote.
var pages = makePages()

func makePages() map[int]*page {
	made := make(map[int]*page)
	for _, status := range []int{301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 413, 414, 417, 421, 429, 431, 500, 502, 503, 504, 505} {
		title := strconv.Itoa(status) + " " + http1.Reason(status)
		made[status] = &page{
			before: []byte("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>" + title +
				"</title>\n<h1>" + title + "</h1>\n<p>Reference: <code>"),
			after: []byte("</code></p>\n</html>\n"),
		}
	}
	return made
}

// pageOf returns the page for a status, that of 500 where there is none.
func pageOf(status int) (int, *page) {
	if p := pages[status]; p != nil {
		return status, p
	}
	return http.StatusInternalServerError, pages[http.StatusInternalServerError]
}

// ownFields are on every answer of ours. nosniff keeps browsers from guessing.
var ownFields = []http1.Field{
	{Name: []byte("Content-Type"), Value: []byte("text/html; charset=utf-8")},
	{Name: []byte("Cache-Control"), Value: []byte("no-store")},
	{Name: []byte("X-Content-Type-Options"), Value: []byte("nosniff")},
}

// refuse answers with a page of ours, or cuts the answer if it has begun, and
// notes why.
func (s *Server) refuse(ex *exchange, status int, reason tenancy.Reason) {
	ex.reason = reason
	if ex.status != 0 {
		ex.down.abort()
		return
	}
	status, p := pageOf(status)
	if own := ex.verdict.Page; own != nil && reason == tenancy.Maintenance {
		p = &page{whole: own.Bytes()}
	}
	ex.beginOwn()
	switch status {
	case http.StatusUnauthorized:
		ex.addField("WWW-Authenticate", ex.challenge)
	case http.StatusMethodNotAllowed:
		ex.addField("Allow", allowedMethods)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		ex.addField("Retry-After", ex.retryAfter())
	}
	ex.show(status, p)
}

// beginOwn begins the fields of an answer of ours.
func (ex *exchange) beginOwn() {
	w := ex.work
	w.made = w.made[:0]
	w.fields = append(w.fields[:0], ownFields...)
}

// show sends an answer of ours, whose own fields are begun.
func (ex *exchange) show(status int, p *page) {
	ex.status = status
	ex.addStanding(false)
	if err := ex.answer(status, ex.work.fields, http1.ContentLength, int64(p.length())); err != nil {
		ex.down.abort()
		return
	}
	if string(ex.method) != http.MethodHead {
		if err := ex.writePage(p); err != nil {
			ex.down.abort()
			return
		}
	}
	if err := ex.down.end(nil); err != nil {
		ex.down.abort()
	}
}

// retryAfter is the Retry-After of a 429 or 503.
func (ex *exchange) retryAfter() string {
	if ex.retry <= 0 {
		return retryAfter
	}
	return strconv.FormatInt(int64((ex.retry+time.Second-1)/time.Second), 10)
}

// retryOf is when a refused client may come again; 0 for the usual.
func (s *Server) retryOf(v *tenancy.Verdict) time.Duration {
	switch {
	case v.Reason != tenancy.Suspended && v.Reason != tenancy.Maintenance && v.Reason != tenancy.Draining,
		v.Reason == tenancy.Draining && v.Until == 0: // a restart, as a rule
		return 0
	case v.Until == 0:
		return closedRetry
	}
	return time.Duration(max(1, v.Until-s.clock.seconds())) * time.Second
}

func (ex *exchange) writePage(p *page) error {
	if p.whole != nil {
		ex.bytesOut += int64(len(p.whole))
		return ex.down.write(p.whole)
	}
	for _, part := range [...][]byte{p.before, ex.ref[:], p.after} {
		if err := ex.down.write(part); err != nil {
			return err
		}
		ex.bytesOut += int64(len(part))
	}
	return nil
}

// addDate adds the Date of now, for answers that have none (RFC 9110 6.6.1).
// The coarse clock is exact to a second, as the field is.
func (ex *exchange) addDate() {
	w := ex.work
	at := len(w.made)
	w.made = time.Unix(ex.s.clock.seconds(), 0).UTC().AppendFormat(w.made, http.TimeFormat)
	w.fields = append(w.fields, http1.Field{Name: nameDate, Value: w.made[at:len(w.made):len(w.made)]})
}

var nameDate = []byte("Date")

// answerPage is an answer of ours on plain HTTP, written without an exchange.
type answerPage struct {
	status   int
	ref      []byte // refBytes long
	location []byte // of a redirect
	unix     int64  // the time
	close    bool   // the connection ends behind it
	head     bool   // the request was HEAD: no body
}

// appendPage appends the whole answer, head and body.
func appendPage(b []byte, a *answerPage) []byte {
	status, p := pageOf(a.status)
	b = http1.AppendStatusLine(b, status)
	for _, f := range ownFields {
		b = http1.AppendField(b, f.Name, f.Value)
	}
	if status == http.StatusMethodNotAllowed {
		b = http1.AppendFieldString(b, "Allow", allowedMethods)
	}
	if len(a.location) > 0 {
		b = appendValue(b, "Location", a.location)
	}
	b = append(b, "Date: "...)
	b = time.Unix(a.unix, 0).UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\n"...)
	b = appendValue(b, "X-Request-Id", a.ref)
	b = http1.AppendFieldInt(b, "Content-Length", int64(p.length()))
	if a.close {
		b = append(b, "Connection: close\r\n"...)
	}
	b = http1.AppendFieldsEnd(b)
	if a.head {
		return b
	}
	b = append(append(b, p.before...), a.ref...)
	return append(b, p.after...)
}

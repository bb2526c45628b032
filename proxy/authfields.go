package proxy

import (
	"bytes"
	"slices"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// appendQuestion appends what an auth service is asked: a GET without a body, with
// the fields of the request that say who asks, and what is asked for by whom in
// fields that we alone set.
func (a *asking) appendQuestion(b []byte, to *pool.Backend) []byte {
	ex := a.ex
	b = append(b, "GET "...)
	b = append(b, a.service.Target()...)
	b = append(b, " HTTP/1.1\r\n"...)
	host, _ := to.RewrittenHost()
	b = http1.AppendFieldString(b, "Host", host)
	for i := range ex.fields {
		if f := &ex.fields[i]; ex.sayable(f.Name) && !ofContent(f.Name) && (proves(f.Name) || !ex.verdict.Route.Vouched(f.Name)) {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	b = append(b, "X-Forwarded-For: "...)
	b = appendAddr(b, ex.client)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\n"...)
	b = appendValue(b, "X-Forwarded-Host", ex.authority)
	b = appendValue(b, "X-Forwarded-Method", ex.method)
	b = ex.appendTarget(append(b, "X-Forwarded-Uri: "...))
	b = append(b, "\r\n"...)
	b = appendValue(b, "X-Original-Method", ex.method)
	b = append(append(b, "X-Original-URL: https://"...), ex.authority...)
	b = append(ex.appendTarget(b), "\r\n"...)
	b = appendValue(b, "X-Request-Id", ex.ref[:])
	b = http1.AppendFieldString(b, "X-Tenant", ex.verdict.Tenant.ID())
	return http1.AppendFieldsEnd(b)
}

// proves reports fields by which clients prove who they are: a service looks at
// them also where what it says instead goes to the backend in their place, as
// with one that exchanges tokens.
func proves(name []byte) bool { return isOneOf(name, "authorization", "cookie") }

// appendTarget appends path and query as they came.
func (ex *exchange) appendTarget(b []byte) []byte {
	b = append(b, ex.path...)
	if ex.hasQuery {
		b = append(append(b, '?'), ex.query...)
	}
	return b
}

// ofContent reports fields that are about a body, or about which answer to send:
// the service gets no body and is asked for a verdict.
func ofContent(name []byte) bool {
	switch name[0] | 0x20 {
	case 'a':
		return http1.EqualFold(name, "accept-encoding")
	case 'c':
		return startsWith(name, "content-") == removed
	case 'i':
		return startsWith(name, "if-") == removed
	case 'r':
		return http1.EqualFold(name, "range")
	}
	return false
}

// take keeps what the answer says to the backend, in place of what services of
// wider levels have said under the same names, and its cookies for the client.
func (a *asking) take() {
	ex := a.ex
	var said []http1.Field
	cookies := a.service.ToClient(nameSetCookie)
	for _, f := range ex.work.answer.Fields {
		switch {
		case ex.work.answer.Nominated(f.Name):
		case a.service.ToBackend(f.Name):
			said = append(said, http1.Field{Name: bytes.Clone(f.Name), Value: bytes.Clone(f.Value)})
		case cookies && http1.EqualFold(f.Name, "set-cookie"):
			ex.cookies = append(ex.cookies, http1.Field{Name: nameSetCookie, Value: bytes.Clone(f.Value)})
		}
	}
	ex.vouched = append(slices.DeleteFunc(ex.vouched, func(wider http1.Field) bool {
		return slices.ContainsFunc(said, func(f http1.Field) bool { return bytes.EqualFold(f.Name, wider.Name) })
	}), said...)
}

var nameSetCookie = []byte("Set-Cookie")

// appendVouched appends to a backend's request what auth services say, unless the
// operator sets or removes it.
func (ex *exchange) appendVouched(b []byte) []byte {
	rules := ex.verdict.Route.Headers()
	for i := range ex.vouched {
		if f := &ex.vouched[i]; rules == nil || !named(rules.RequestRemove, rules.RequestSet, f.Name, sameName) {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	return b
}

// relay passes a refusal on: its status, the fields that may, and its page, or
// ours where there is none or more than there is room for.
func (a *asking) relay() {
	ex, head := a.ex, &a.ex.work.answer
	ex.at(a.service.Name(), limitForwardAuth).reason = tenancy.AuthRequired
	status, p := pageOf(head.Status)
	ex.beginOwn()
	if a.length > 0 {
		p = &page{whole: a.body[:a.length]}
		ex.work.fields = ex.work.fields[:0]
	}
	cached := a.length == 0 // ours says so
	for _, f := range head.Fields {
		content := isOneOf(f.Name, "content-type", "content-language", "content-encoding")
		control := http1.EqualFold(f.Name, "cache-control")
		if head.Nominated(f.Name) || a.length == 0 && (content || control) || !content && !a.service.ToClient(f.Name) {
			continue
		}
		cached = cached || control
		ex.work.fields = append(ex.work.fields, f)
	}
	if !cached {
		ex.addField("Cache-Control", "no-store")
	}
	ex.show(status, p)
}

func isOneOf(name []byte, words ...string) bool { return oneOf(name, words...) == removed }

package proxy

import (
	"net/netip"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// fate is what becomes of a request's field on its way to the backend.
type fate uint8

const (
	kept     fate = iota
	removed       // it belongs to this connection, or says what only we may say
	passable      // removed unless pass_headers names it
)

// requestFate decides by the name alone. Length and first byte tell most names
// apart, so that a field that passes costs one look.
func requestFate(name []byte) fate {
	f := plainFate(name)
	if f == kept && ambiguousName(name) {
		return ambiguousFate(name)
	}
	return f
}

// ambiguousName reports names that a backend of the CGI family merges with
// others: it turns "-", "_", often ".", and here and there whatever is neither
// letter nor digit, into "_".
func ambiguousName(name []byte) bool {
	for _, c := range name {
		if !isPlain(c) {
			return true
		}
	}
	return false
}

func isPlain(c byte) bool { return c|0x20-'a' < 26 || c-'0' < 10 || c == '-' }

// ambiguousFate looks at what such a name turns into: what merges with a field
// that clients may not send does not pass, whatever pass_headers says.
func ambiguousFate(name []byte) fate {
	var buffer [64]byte
	if len(name) > len(buffer) {
		return removed
	}
	plain, otherwise := append(buffer[:0], name...), kept
	for i, c := range plain {
		if isPlain(c) {
			continue
		}
		plain[i] = '-'
		if c == '_' || c == '.' {
			otherwise = passable
		}
	}
	if plainFate(plain) != kept {
		return removed
	}
	return otherwise
}

// plainFate is the list of the product contract: hop-by-hop fields (RFC 9110
// 7.6.1), fields that say who the client is or what it asked for, and those
// that are written anew (Host, framing, Expect).
func plainFate(name []byte) fate {
	switch name[0] | 0x20 {
	case 'c':
		return oneOf(name, "connection", "content-length", "cf-connecting-ip") | startsWith(name, "client-cert")
	case 'e':
		return oneOf(name, "expect")
	case 'f':
		return oneOf(name, "forwarded", "front-end-https")
	case 'h':
		return oneOf(name, "host", "http2-settings")
	case 'k':
		return oneOf(name, "keep-alive")
	case 'p':
		return oneOf(name, "proxy", "proxy-connection", "proxy-authorization", "proxy-authenticate", "proxy-client-ip")
	case 'r':
		return oneOf(name, "remote-user", "remote-addr")
	case 's':
		return startsWith(name, "ssl-client-")
	case 't':
		return oneOf(name, "te", "trailer", "transfer-encoding", "true-client-ip")
	case 'u':
		return oneOf(name, "upgrade")
	case 'w':
		return oneOf(name, "wl-proxy-client-ip")
	case 'x':
		return fateOfX(name)
	}
	return kept
}

// fateOfX is the part of the list that begins with "X-".
func fateOfX(name []byte) fate {
	if len(name) < 6 || name[1] != '-' {
		return kept
	}
	switch name[2] | 0x20 {
	case 'a':
		return oneOf(name, "x-auth-user") | startsWith(name, "x-arr-")
	case 'c':
		return oneOf(name, "x-client-ip", "x-cluster-client-ip")
	case 'f':
		return startsWith(name, "x-forwarded")
	case 'h':
		return unlessPassed(name, "x-http-method-override")
	case 'm':
		return oneOf(name, "x-mirrored")
	case 'o':
		return startsWith(name, "x-original-")
	case 'r':
		return oneOf(name, "x-real-ip", "x-request-id", "x-remote-user", "x-rewrite-url")
	case 's':
		return startsWith(name, "x-ssl-")
	case 't':
		return oneOf(name, "x-tenant")
	}
	return kept
}

func oneOf(name []byte, words ...string) fate {
	for _, w := range words {
		if http1.EqualFold(name, w) {
			return removed
		}
	}
	return kept
}

func startsWith(name []byte, prefix string) fate {
	if len(name) >= len(prefix) && http1.EqualFold(name[:len(prefix)], prefix) {
		return removed
	}
	return kept
}

func unlessPassed(name []byte, word string) fate {
	if http1.EqualFold(name, word) {
		return passable
	}
	return kept
}

// passes reports whether a field of the request, or one of its trailers, goes
// to the backend.
func (ex *exchange) passes(name []byte) bool {
	if !ex.fromClient(name) {
		return false
	}
	rules := ex.verdict.Route.Headers()
	return rules == nil || !named(rules.RequestRemove, rules.RequestSet, name, tenancy.SameVariable)
}

// fromClient reports whether a field is the client's to say to the backend.
func (ex *exchange) fromClient(name []byte) bool {
	return ex.sayable(name) && !ex.verdict.Route.Vouched(name)
}

// sayable reports whether a field is the client's to say, auth services aside.
func (ex *exchange) sayable(name []byte) bool {
	if len(name) == 0 || ex.nominated(name) {
		return false
	}
	if ex.guarded && http1.EqualFold(name, "authorization") {
		return false
	}
	route := ex.verdict.Route
	if f := requestFate(name); f == removed || f == passable && !route.PassHeader(name) {
		if ambiguousName(name) {
			ex.s.metrics.FieldsDropped(1)
		}
		return false
	}
	return true
}

// nominated reports whether the client's Connection field names the field.
// HTTP/2 has no such thing.
func (ex *exchange) nominated(name []byte) bool { return ex.head != nil && ex.head.Nominated(name) }

// named reports whether a rule removes or replaces a field: one of that name, or one
// that is the same to its reader.
func named(remove []string, set []tenancy.Field, name []byte, same func(rule string, name []byte) bool) bool {
	for _, rule := range remove {
		if same(rule, name) {
			return true
		}
	}
	for i := range set {
		if same(set[i].Lower, name) {
			return true
		}
	}
	return false
}

// sameName reports whether two names are the same to who reads messages by the
// letter (RFC 9110 section 5.1).
func sameName(rule string, name []byte) bool { return http1.EqualFold(name, rule) }

// appendRequest appends the head that goes to a backend: the request line byte
// for byte but for a path that the route rewrites, Host, what passes of the client's
// fields in their order, then what we say. Expect is repeated only while its answer is awaited.
func (ex *exchange) appendRequest(b []byte, to *pool.Backend) []byte {
	b = append(b, ex.method...)
	b = append(b, ' ')
	b = ex.verdict.Route.AppendPath(b, ex.path)
	if ex.hasQuery {
		b = append(b, '?')
		b = append(b, ex.query...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	if host, ok := to.RewrittenHost(); ok {
		b = http1.AppendFieldString(b, "Host", host)
	} else {
		b = appendValue(b, "Host", ex.authority)
	}
	for i := range ex.fields {
		if f := &ex.fields[i]; ex.passes(f.Name) {
			b = http1.AppendField(b, f.Name, f.Value)
		}
	}
	b = ex.appendOurs(b)
	b = ex.appendFraming(b)
	return http1.AppendFieldsEnd(b)
}

// appendOurs appends who asks, how, and what the operator sets.
func (ex *exchange) appendOurs(b []byte) []byte {
	b = append(b, "X-Forwarded-For: "...)
	b = appendAddr(b, ex.client)
	b = append(b, "\r\nX-Forwarded-Proto: https\r\n"...)
	b = appendValue(b, "X-Forwarded-Host", ex.authority)
	if prefix := ex.verdict.Route.ForwardedPrefix(); prefix != "" {
		b = http1.AppendFieldString(b, "X-Forwarded-Prefix", prefix)
	}
	b = appendValue(b, "X-Request-Id", ex.ref[:])
	b = http1.AppendFieldString(b, "X-Tenant", ex.verdict.Tenant.ID())
	b = ex.appendVouched(b)
	if rules := ex.verdict.Route.Headers(); rules != nil {
		for i := range rules.RequestSet {
			b = http1.AppendFieldString(b, rules.RequestSet[i].Name, rules.RequestSet[i].Value)
		}
	}
	return b
}

// appendFraming appends what concerns the connection to the backend, and the
// body as we send it.
func (ex *exchange) appendFraming(b []byte) []byte {
	switch {
	case ex.websocket:
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
	case ex.trailers:
		b = append(b, "Connection: TE\r\nTE: trailers\r\n"...)
	}
	switch ex.framing {
	case http1.ContentLength:
		b = http1.AppendFieldInt(b, "Content-Length", ex.body.length())
	case http1.Chunked:
		for i := range ex.fields {
			if f := &ex.fields[i]; http1.EqualFold(f.Name, "trailer") && !ex.nominated(f.Name) {
				b = http1.AppendField(b, f.Name, f.Value)
			}
		}
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if ex.expects {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return b
}

// requestTrailers keeps, in place, the trailers that may go to the backend.
func (ex *exchange) requestTrailers(trailers []http1.Field) []http1.Field {
	n := 0
	for _, f := range trailers {
		if ex.passes(f.Name) && !http1.IsForbiddenTrailer(f.Name) {
			trailers[n] = f
			n++
		}
	}
	return trailers[:n]
}

func appendValue(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendAddr appends a client address as X-Forwarded-For has it.
func appendAddr(b []byte, a netip.Addr) []byte {
	return a.Unmap().WithZone("").AppendTo(b)
}

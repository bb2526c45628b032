package tenancy

import (
	"net/netip"

	"gatehouse/ipallow"
)

// Hello is what is known at a TLS ClientHello.
type Hello struct {
	Client   netip.Addr // not judged where the client is known by X-Forwarded-For
	Listener *Listener  // nil: one where clients connect directly
	SNI      string     // as the client sent it; "" for none
	Now      int64      // Unix seconds; 0 asks as if no `until` had passed
}

// Request is what is known once the head of a request is read.
type Request struct {
	Client    netip.Addr
	Listener  *Listener // nil: one where clients connect directly
	Now       int64     // Unix seconds; 0 asks as if no `until` had passed
	SNI       Identity  // of the host that the handshake named; Plain has none
	Method    []byte
	Authority []byte // of the target or of Host, port included
	Path      []byte // of the target, byte for byte, up to "?"
}

// Admit judges a client before anything of it is read: the block list. The
// answer to a refusal is to close the connection. It is not asked where the
// client is known by X-Forwarded-For; Request does it there.
func (t *Table) Admit(client netip.Addr, now int64, tr *Trace) Verdict {
	blocked := t.Blocks(client, now)
	tr.block(t, client, now)
	if blocked {
		return Verdict{Reason: Blocked}
	}
	return Verdict{Action: Forward}
}

// Connect judges a ClientHello; Forward sets Host. Every refusal gets the same
// answer, the alert unrecognized_name before any signature, whatever the
// reason: whom refuse_with: handshake refuses cannot tell the host from one
// that does not exist.
func (t *Table) Connect(q *Hello, tr *Trace) Verdict {
	var buffer [HostBytesMax]byte
	host, ok := normalizeSNI(buffer[:0], q.SNI)
	h := (*Host)(nil)
	if ok {
		h = t.find(host)
	}
	if h == nil {
		tr.sni(t, q, h)
		return Verdict{Reason: UnknownHost}
	}
	tr.sni(t, q, h)
	if !q.Listener.perRequest() {
		if l := h.hidden(q.Client, t.At(q.Now), false); l != nil {
			tr.level(l, q.Client, t.At(q.Now))
			return Verdict{Reason: IPNotAllowed, Tenant: h.tenant}
		}
	}
	tr.certificate(h)
	if h.source == NoSource {
		return Verdict{Reason: NoCertificate, Tenant: h.tenant}
	}
	return Verdict{Action: Forward, Tenant: h.tenant, Host: h}
}

// Request judges the head of a request over TLS; Forward sets Host and Route,
// which may redirect the request once the gates behind this one have passed it.
// The gates are those of the product contract, in its order.
func (t *Table) Request(q *Request, tr *Trace) Verdict {
	if q.Listener.perRequest() {
		tr.block(t, q.Client, q.Now)
		if t.Blocks(q.Client, q.Now) {
			return Verdict{Reason: Blocked, Status: statusForbidden}
		}
	}
	var buffer [HostBytesMax]byte
	host, v := wellFormed(buffer[:0], q, tr)
	if v.Reason != NoReason {
		return v
	}
	h := t.find(host)
	if h == nil || h.Identity() != q.SNI {
		tr.misdirected(t, q, h)
		return refused(Misdirected)
	}
	if l := h.hidden(q.Client, t.At(q.Now), false); l != nil {
		// An unknown authority is misdirected, so this one is answered alike.
		tr.level(l, q.Client, t.At(q.Now))
		return Verdict{Reason: IPNotAllowed, Status: statusMisdirected, Tenant: h.tenant}
	}
	tr.authority(t, q, h)
	tr.levels(h.tenant.levels, q.Client, t.At(q.Now))
	if l := admits(h.tenant.levels, q.Client, t.At(q.Now)); l != nil {
		return l.refusal(h)
	}
	v = t.route(h, q, tr)
	if v.Action == Forward {
		return t.closed(v, q, tr)
	}
	return v
}

// route judges the path of a request whose authority is h.
func (t *Table) route(h *Host, q *Request, tr *Trace) Verdict {
	if why := h.site.paths.ambiguity(q.Path); why != "" {
		tr.ambiguous(h, why)
		return Verdict{Reason: AmbiguousPath, Status: statusBadRequest, Tenant: h.tenant, Host: h}
	}
	tr.pass(gatePath, noPos, "one way to read it")
	r := h.site.find(q.Path)
	tr.route(h, r)
	if r == nil {
		return Verdict{Reason: NoRoute, Status: statusNotFound, Tenant: h.tenant, Host: h}
	}
	for _, levels := range [...][]level{h.site.levels, r.levels} {
		tr.levels(levels, q.Client, t.At(q.Now))
		if l := admits(levels, q.Client, t.At(q.Now)); l != nil {
			return l.refusal(h)
		}
	}
	if r.rewrite.ambiguous(q.Path) {
		tr.ambiguous(h, pathRewritten)
		return Verdict{Reason: AmbiguousPath, Status: statusBadRequest, Tenant: h.tenant, Host: h}
	}
	return Verdict{Action: Forward, Tenant: h.tenant, Host: h, Route: r}
}

// ChallengePath is what the path of an ACME HTTP-01 challenge begins with (RFC
// 8555 section 8.3). The token that follows it is answered over plain HTTP
// before any gate but the block list, while the challenge is pending.
const ChallengePath = "/.well-known/acme-challenge/"

// Plain judges the head of a request over plain HTTP; Redirect sets Host, and
// AppendLocation builds the answer. Where refuse_with is 404 or handshake, whom
// it refuses is answered as if the host did not exist.
func (t *Table) Plain(q *Request, tr *Trace) Verdict {
	tr.challenge(q)
	var buffer [HostBytesMax]byte
	host, v := wellFormed(buffer[:0], q, tr)
	if v.Reason != NoReason {
		return v
	}
	h := t.find(host)
	if h == nil {
		tr.authority(t, q, h)
		return refused(UnknownHost)
	}
	tr.authority(t, q, h)
	if l := h.hidden(q.Client, t.At(q.Now), true); l != nil {
		tr.level(l, q.Client, t.At(q.Now))
		return Verdict{Reason: IPNotAllowed, Status: statusNotFound, Tenant: h.tenant}
	}
	tr.pass(gateRedirect, h.pos, "plain HTTP is answered with the https address")
	return Verdict{Action: Redirect, Tenant: h.tenant, Host: h}
}

// wellFormed judges what needs no table. The verdict has a reason if the
// request is refused; otherwise host is the normalised authority.
func wellFormed(buffer []byte, q *Request, tr *Trace) (host []byte, v Verdict) {
	host, ok := NormalizeHost(buffer, q.Authority)
	switch {
	case string(q.Method) == "CONNECT":
		tr.refuse(gateRequest, noPos, "CONNECT asks for a tunnel; none is given")
		return nil, refused(MethodNotAllowed)
	case !ok:
		tr.refuse(gateRequest, noPos, "the authority is not a host")
		return nil, refused(BadRequest)
	case len(q.Path) == 0 || q.Path[0] != '/':
		tr.refuse(gateRequest, noPos, "the path does not begin with /")
		return nil, refused(BadRequest)
	}
	return host, Verdict{}
}

// hidden returns the level of tenant or host that refuses client as if the
// host did not exist: by handshake or, with also404, by 404.
func (h *Host) hidden(client netip.Addr, m ipallow.Moment, also404 bool) *level {
	if l := hiding(h.tenant.levels, client, m, also404); l != nil {
		return l
	}
	return hiding(h.site.levels, client, m, also404)
}

// refusal is how l refuses a request for h.
func (l *level) refusal(h *Host) Verdict {
	v := Verdict{Reason: IPNotAllowed, Status: statusForbidden, Tenant: h.tenant, Host: h}
	switch l.how {
	case ipallow.Refuse404:
		v.Status = statusNotFound
	case ipallow.RefuseHandshake:
		v.Status = statusMisdirected
	}
	return v
}

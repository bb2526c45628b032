package tenancy

import (
	"net/netip"
	"strconv"
	"time"
)

// Question is a request that may never be made: what explain and expect cases
// ask about.
type Question struct {
	Scheme   string // "https" or "http"
	Host     string
	Port     string // as written; "" for the scheme's own
	Path     string // as a client would send it, without a query; "" for "/"
	Method   string // "" for GET
	From     netip.Addr
	SNI      string    // "" for Host
	User     string    // who asks, with the right password; "" for nobody
	At       time.Time // zero: as if no `until` had passed
	Listener *Listener // nil: the one that Port names, else the first of the scheme
}

// Judge walks through the doors as the data plane does and returns the verdict
// that the client of q would meet.
func (t *Table) Judge(q Question, tr *Trace) Verdict {
	return t.walk(q, tr).authenticated(q.User, tr).vouchedFor(q.User, tr).leadsElsewhere(tr)
}

// Retrace is Judge for a request that was made, but for names and passwords:
// what was sent of these is not kept.
func (t *Table) Retrace(q Question, tr *Trace) Verdict { return t.walk(q, tr).leadsElsewhere(tr) }

// walk asks the doors.
func (t *Table) walk(q Question, tr *Trace) Verdict {
	now := int64(0)
	if !q.At.IsZero() {
		now = q.At.Unix()
	}
	listener := q.Listener
	if listener == nil {
		listener = t.listenerFor(q)
	}
	if !listener.perRequest() {
		if v := t.Admit(q.From, now, tr); v.Action == Refuse {
			return v
		}
	}
	request := q.request(listener, now)
	if q.Scheme == "http" {
		return t.Plain(request, tr)
	}
	sni := q.SNI
	if sni == "" {
		sni = q.Host
	}
	v := t.Connect(&Hello{Client: q.From, Listener: listener, SNI: sni, Now: now}, tr)
	if v.Action == Refuse {
		return v
	}
	request.SNI = v.Host.Identity()
	return t.Request(request, tr)
}

func (q *Question) request(listener *Listener, now int64) *Request {
	r := &Request{
		Client:    q.From,
		Listener:  listener,
		Now:       now,
		Method:    []byte(q.Method),
		Authority: []byte(q.Host),
		Path:      []byte(q.Path),
	}
	if q.Method == "" {
		r.Method = []byte("GET")
	}
	if q.Path == "" {
		r.Path = []byte("/")
	}
	return r
}

// listenerFor returns the listener that a client of q would reach, or nil.
// Without one of its port it is the first of the scheme: a port may be mapped
// on the way.
func (t *Table) listenerFor(q Question) *Listener {
	var first *Listener
	for _, l := range t.listeners {
		if l.Plain != (q.Scheme == "http") {
			continue
		}
		if q.Port != "" && q.Port == strconv.Itoa(int(l.port)) {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

package tenancy

import (
	"net/netip"
	"strconv"
	"strings"

	"gatehouse/internal/clientip"
	"gatehouse/internal/conf"
	"gatehouse/internal/limit"
	"gatehouse/ipallow"
)

// Listener is an address that connections are accepted on, and how the address
// of a client is known there. It is immutable once compiled.
type Listener struct {
	Name    string        // the address as written: its label in logs and metrics
	Address string        // host:port as net.Listen takes it; the host may be empty
	Mode    clientip.Mode // how client addresses are known
	Trust   *ipallow.List // the peers that are believed; nil where clients connect directly
	Plain   bool          // plain HTTP: redirects and ACME challenges only

	Connections int         // open ones of one client at most; 0 where nothing is written
	Handshakes  limit.Quota // of one client; zero: any number

	host netip.Addr // invalid: every address of the machine
	port uint16
	pos  conf.Pos
}

// Port returns the port that is listened on; 0 asks the system for one.
func (l *Listener) Port() uint16 { return l.port }

// Listener returns the listener of the table that is l as it is written now:
// of the same address, mode and protocol. Only whom it believes may differ; nil
// if there is none. It does not allocate.
func (t *Table) Listener(l *Listener) *Listener {
	for _, mine := range t.listeners {
		if mine == l || mine.Plain == l.Plain && mine.Mode == l.Mode && mine.Address == l.Address {
			return mine
		}
	}
	return nil
}

// perRequest reports whether the client is known only once the head of a
// request is read, so that every gate about addresses runs for each request.
func (l *Listener) perRequest() bool {
	return l != nil && l.Mode == clientip.XForwardedFor
}

// CompileListeners checks what the main file listens on: plain HTTP first, then
// TLS, each in the order in which it is written.
func CompileListeners(http conf.List[string], https conf.List[ListenerSpec], sets *ipallow.Sets, r *conf.Report) []*Listener {
	var listeners []*Listener
	add := func(l *Listener) {
		for _, other := range listeners {
			if l.collides(other) {
				r.Fault(l.pos, "", "%q is listened on already, as %q at %s", l.Name, other.Name, other.pos)
				return
			}
		}
		listeners = append(listeners, l)
	}
	for _, item := range http.Items {
		if l := readAddress(item, r); l != nil {
			l.Plain = true
			add(l)
		}
	}
	for _, item := range https.Items {
		if l := readAddress(item.V.Address, r); l != nil {
			l.readClientIP(item.V.ClientIP, sets, r)
			l.readLimits(item.V.Limits, r)
			add(l)
		}
	}
	return listeners
}

// readAddress reads "host:port" or ":port".
func readAddress(at conf.At[string], r *conf.Report) *Listener {
	const hint = `write it like ":443", "192.0.2.1:443" or "[2001:db8::1]:443"`
	colon := strings.LastIndexByte(at.V, ':')
	if colon < 0 {
		r.Fault(at.Pos, hint, "%q has no port; a listener is a host and a port, or only :port", at.V)
		return nil
	}
	host, digits := at.V[:colon], at.V[colon+1:]
	port, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		r.Fault(at.Pos, hint, "%q has the port %q; a port is a number up to 65535", at.V, digits)
		return nil
	}
	l := &Listener{Name: at.V, Address: at.V, port: uint16(port), pos: at.Pos}
	plain, bracketed := strings.CutPrefix(host, "[")
	plain = strings.TrimSuffix(plain, "]")
	switch addr, err := netip.ParseAddr(plain); {
	case host == "":
	case host == "localhost":
		l.host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err != nil || bracketed != addr.Is6():
		r.Fault(at.Pos, hint, "%q has the host %q; a listener's host is an address of this machine, or empty for all", at.V, host)
		return nil
	default:
		l.host = addr.Unmap()
	}
	return l
}

// collides reports whether the two cannot be listened on together.
func (l *Listener) collides(o *Listener) bool {
	return l.port == o.port && l.port != 0 && (l.everywhere() || o.everywhere() || l.host == o.host)
}

func (l *Listener) everywhere() bool { return !l.host.IsValid() || l.host.IsUnspecified() }

// readClientIP reads who is believed about a client's address.
func (l *Listener) readClientIP(spec *ClientIPSpec, sets *ipallow.Sets, r *conf.Report) {
	if spec == nil {
		return
	}
	peers := spec.ProxyProtocol
	l.Mode = clientip.ProxyProtocol
	if spec.XForwardedFor.Set() {
		peers, l.Mode = spec.XForwardedFor, clientip.XForwardedFor
	}
	l.Trust = sets.Compile(peers, r)
	if peers.Set() && l.Trust.Empty() {
		r.Fault(peers.Pos, "", "%s of listener %q names no peer, so every connection would be closed; expected the load balancers' addresses", l.Mode, l.Name)
	}
	for _, s := range l.Trust.Sources() {
		r.Fault(peers.Pos, "list their addresses", "%s of listener %q believes whom %s lists (%s); expected what is written: whoever is believed names clients", l.Mode, l.Name, s, s.Pos)
	}
	for m := range l.Trust.Entries() {
		if m.Prefix.Bits() < trustBitsLeast {
			r.Fault(peers.Pos, "", "%s of listener %q believes %s (%s); expected the load balancers' addresses alone", l.Mode, l.Name, m, m.Pos)
		}
	}
}

// trustBitsLeast is the shortest prefix that may be believed about other
// addresses. A private network has 8 bits; whatever is wider holds strangers.
const trustBitsLeast = 8

// readLimits reads what one client may have.
func (l *Listener) readLimits(spec *ListenerLimitsSpec, r *conf.Report) {
	if spec == nil {
		return
	}
	l.Connections, l.Handshakes = spec.Connections.V, quota(spec.Handshakes, conf.At[int]{})
	for _, at := range []conf.Pos{spec.Connections.Pos, spec.Handshakes.Pos} {
		if l.perRequest() && !at.IsZero() {
			r.Fault(at, "limit requests in place of connections: limits.client of tenants", "listener %q knows its clients only by each request", l.Name)
		}
	}
}

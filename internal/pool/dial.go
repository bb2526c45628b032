package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// tcpKeepAlive is how often the kernel asks a silent backend whether it still
// lives: an upgraded connection may be silent for an hour, and firewalls
// forget connections after minutes.
const tcpKeepAlive = 30 * time.Second

// DialError says why a backend was not reached. Not one byte of a request was
// written to it.
type DialError struct {
	Pool    string
	Backend *Backend
	Address netip.Addr // which of the addresses of its name; else not valid
	TLS     bool       // the TCP connection stood; the handshake did not succeed
	Err     error
}

// Error names pool, backend and cause.
func (e *DialError) Error() string {
	what := "dial"
	if e.TLS {
		what = "handshake with"
	}
	where := e.Backend.Address()
	if e.Address.IsValid() {
		where += " at " + e.Address.String()
	}
	return fmt.Sprintf("pool %q: %s %s: %v", e.Pool, what, where, e.Err)
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// ErrNoLeave is why a connection was not opened that there was no leave for; see
// [Options].
var ErrNoLeave = errors.New("as many connections to backends are open as may be")

// ForbiddenError says that a backend's name led to an address that no backend
// may have.
type ForbiddenError struct {
	Addr netip.AddrPort // without a port where the name was looked up, not dialled
	Why  string
}

// Error names address and reason.
func (e *ForbiddenError) Error() string {
	if e.Addr.Port() == 0 {
		return e.Addr.Addr().String() + " is " + e.Why
	}
	return e.Addr.String() + " is " + e.Why
}

// dialer opens connections to one backend.
type dialer struct {
	pool    string
	backend *Backend
	address netip.Addr // which of the addresses of its name; else not valid
	net     net.Dialer
	tls     *tls.Config // nil: plain
}

func newDialer(p *Pool, b *Backend, at netip.Addr) dialer {
	guard := p.guard // a member outlives its first pool
	d := dialer{
		pool:    p.name,
		backend: b,
		net: net.Dialer{
			KeepAlive: tcpKeepAlive,
			ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
				return judge(address, guard)
			},
		},
	}
	d.net.SetMultipathTCP(false) // one path, and one that can be polled
	if !b.literal.IsValid() {
		d.address = at
	}
	if b.tls {
		d.tls = &tls.Config{
			ServerName:                  b.serverName,
			RootCAs:                     b.roots,
			MinVersion:                  tls.VersionTLS12,
			NextProtos:                  []string{"http/1.1"},
			ClientSessionCache:          tls.NewLRUClientSessionCache(1), // it holds one session for each name, and here is one name
			DynamicRecordSizingDisabled: true,                            // small first records are small first writes
		}
	}
	return d
}

// judge is called with each address behind a name, just before it is dialled.
func judge(address string, guard func(netip.AddrPort) error) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if why, bad := ForbiddenAddr(ap.Addr()); bad {
		return &ForbiddenError{Addr: ap, Why: why}
	}
	if guard == nil {
		return nil
	}
	return guard(ap)
}

// Dial opens a connection within timeout, which covers TCP and TLS, and the first
// answer of DNS where the backend is written by name. Its error is a *[DialError].
func (m *Member) Dial(timeout time.Duration) (*Conn, error) {
	return m.DialContext(context.Background(), timeout)
}

// DialContext is [Member.Dial], and ends when ctx does.
func (m *Member) DialContext(ctx context.Context, timeout time.Duration) (*Conn, error) {
	if m.take != nil && !m.take() {
		return nil, m.dialer.refused(ErrNoLeave)
	}
	c, err := m.dial(ctx, m.backend.port, time.Now().Add(timeout))
	switch {
	case m.take == nil:
	case err != nil:
		m.give()
	default:
		c.raw.give = m.give
	}
	return c, err
}

// dial opens a connection to the backend, on its port or another one.
func (m *Member) dial(ctx context.Context, port uint16, deadline time.Time) (*Conn, error) {
	d := &m.dialer
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	tcp, err := m.connect(ctx, port)
	if err != nil {
		m.name.hurry()
		return nil, d.refused(err)
	}
	raw, err := newRawConn(tcp)
	if err != nil {
		tcp.Close()
		return nil, d.refused(err)
	}
	c := &Conn{Conn: raw, member: m, raw: raw}
	if d.tls != nil {
		if err := d.secure(ctx, c, deadline); err != nil {
			m.name.hurry()
			return nil, err
		}
	}
	return c, nil
}

// connect opens a TCP connection to where the member is.
func (m *Member) connect(ctx context.Context, port uint16) (*net.TCPConn, error) {
	at := m.place
	if m.placeless() {
		var err error
		if at, err = m.name.await(ctx); err != nil {
			return nil, err
		}
	}
	from := netip.AddrPort{}
	tcp, err := m.dialer.net.DialTCP(ctx, "tcp", from, netip.AddrPortFrom(at, port))
	if twin, ok := m.name.twin(at); ok && errors.Is(err, syscall.ECONNREFUSED) {
		return m.dialer.net.DialTCP(ctx, "tcp", from, netip.AddrPortFrom(twin, port))
	}
	return tcp, err
}

// secure runs the TLS handshake on c, and closes it if that does not succeed.
func (d *dialer) secure(ctx context.Context, c *Conn, deadline time.Time) error {
	t := tls.Client(c.raw, d.tls)
	_ = c.raw.SetDeadline(deadline)
	if err := t.HandshakeContext(ctx); err != nil {
		c.raw.Close()
		return &DialError{Pool: d.pool, Backend: d.backend, Address: d.address, TLS: true, Err: err}
	}
	_ = c.raw.SetDeadline(time.Time{})
	c.Conn = t
	return nil
}

func (d *dialer) refused(err error) error {
	// net.OpError repeats "dial tcp" and the address, which DialError says.
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return &DialError{Pool: d.pool, Backend: d.backend, Address: d.address, Err: err}
}

package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
)

// headSlop is what the library adds to the bound of a head for its own buffer.
const headSlop = 4 << 10

// standardServer serves HTTP/1.1 by the standard library's server, in place of
// serveHTTP1, on connections whose handshake is done. The library reads and
// writes messages; who may ask, what is forwarded, what is answered, times and
// ends are the same code as ever. Its own timeouts are off: the connection's
// watch has them. The library knows one size of heads, so there is a server for
// each: a dozen at most, see headRead.
type standardServer struct {
	server *Server
	mu     sync.Mutex
	byHead map[int]*http.Server
}

func newStandardServer(s *Server) *standardServer {
	return &standardServer{server: s, byHead: make(map[int]*http.Server)}
}

// on returns the server that reads heads of so many bytes.
func (p *standardServer) on(head int) *http.Server {
	p.mu.Lock()
	defer p.mu.Unlock()
	server := p.byHead[head]
	if server == nil {
		server = p.newServer(head)
		p.byHead[head] = server
	}
	return server
}

func (p *standardServer) newServer(head int) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Protocols:                    &protocols,
		Handler:                      http.HandlerFunc(serveStandard),
		MaxHeaderBytes:               head - headSlop,
		ErrorLog:                     slog.NewLogLogger(p.server.log.Handler(), slog.LevelDebug),
		ConnContext:                  withStandardConn,
		ConnState:                    followStandard,
		DisableGeneralOptionsHandler: true,
	}
}

// serve hands a connection to the library, which serves and closes it on a
// goroutine of its own.
func (p *standardServer) serve(c *conn, t *tls.Conn) {
	sc := &standardConn{Conn: t, conn: c, keepAlive: c.peer.timeouts.KeepAlive}
	sc.time.watch = &c.watch
	sc.wire.limits = c.peer.limits.Request
	c.watch.retarget(sc)
	_ = p.on(headRead(c.peer.limits)).Serve(&oneConn{conn: sc})
}

// oneConn is a listener that accepts one connection and is closed then.
type oneConn struct{ conn net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, net.ErrClosed
	}
	c := l.conn
	l.conn = nil
	return c, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// standardConnKey finds the connection in the context of its requests.
type standardConnKey struct{}

func withStandardConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, standardConnKey{}, c)
}

// serveStandard serves one request.
func serveStandard(w http.ResponseWriter, r *http.Request) {
	r.Context().Value(standardConnKey{}).(*standardConn).serveRequest(w, r)
}

// followStandard learns from the library that a connection waits for its next
// request.
func followStandard(c net.Conn, state http.ConnState) {
	if state == http.StateNew || state == http.StateIdle {
		c.(*standardConn).rest()
	}
}

package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"gatehouse/internal/http1"
)

const (
	// streamsMax is how many requests one HTTP/2 connection may carry at a
	// time: what RFC 9113 section 6.5.2 recommends at least, and what bounds
	// the goroutines that one client can start (CVE-2023-44487).
	streamsMax = 100

	// frameBytesMax is the largest frame that is read: the protocol's default;
	// the library would announce 1 MiB.
	frameBytesMax = 16 << 10

	// streamWindowBytes and connWindowBytes bound what clients may send ahead
	// of a slow backend: for each request, and for each connection.
	streamWindowBytes = 256 << 10
	connWindowBytes   = 1 << 20

	// idleSlack is how much later than the library's own idle timer, which says
	// GOAWAY first, the connection is closed without a word.
	idleSlack = 5 * time.Second

	// idleTimesMax bounds the number of servers kept, one for each keep_alive
	// in use. A connection with one more gets the default server.
	idleTimesMax = 64
)

// http2Servers speak HTTP/2 on connections whose handshake is done. The
// standard library's server does the framing; it knows one idle time, so there
// is a server for each.
type http2Servers struct {
	server  *Server
	running sync.WaitGroup

	mu     sync.Mutex
	byIdle map[time.Duration]*http2Server
	closed bool
}

// http2Server is the library's server and the listener that it accepts
// finished TLS connections from.
type http2Server struct {
	http   *http.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHTTP2Servers(s *Server) *http2Servers {
	return &http2Servers{server: s, byIdle: make(map[time.Duration]*http2Server)}
}

// serve hands a connection over. It must be the *tls.Conn itself: the library
// looks for its type, and speaks HTTP/1.1 on any other.
func (h *http2Servers) serve(c *conn, t *tls.Conn) {
	c.multiplexed.Store(true)
	for {
		server := h.forIdle(c.peer.timeouts.KeepAlive)
		if server == nil {
			_ = c.Close()
			return
		}
		select {
		case server.conns <- t:
			return
		case <-server.closed: // went away meanwhile; another one takes over
		}
	}
}

// forIdle returns the server for an idle time, nil once all are closed.
func (h *http2Servers) forIdle(idle time.Duration) *http2Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	if server, ok := h.byIdle[idle]; ok {
		return server
	}
	if len(h.byIdle) >= idleTimesMax {
		for _, any := range h.byIdle {
			return any
		}
	}
	server := h.newServer(idle)
	h.byIdle[idle] = server
	h.running.Go(func() { _ = server.http.Serve(server) })
	return server
}

func (h *http2Servers) newServer(idle time.Duration) *http2Server {
	s := h.server
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	return &http2Server{
		conns:  make(chan net.Conn),
		closed: make(chan struct{}),
		http: &http.Server{
			Handler:                      http.HandlerFunc(s.serveStream),
			Protocols:                    &protocols,
			IdleTimeout:                  idle,
			MaxHeaderBytes:               http1.DefaultLimits().HeadBytes,
			ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
			ConnState:                    followHTTP2,
			ConnContext:                  withConn,
			DisableGeneralOptionsHandler: true,
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          streamsMax,
				MaxReadFrameSize:              frameBytesMax,
				MaxReceiveBufferPerStream:     streamWindowBytes,
				MaxReceiveBufferPerConnection: connWindowBytes,
			},
		},
	}
}

// goAway sends GOAWAY on every connection, and closes those that carry no
// request. Connections that come later are served by new servers, unless the
// front is closed.
func (h *http2Servers) goAway() {
	h.mu.Lock()
	former := h.byIdle
	h.byIdle = make(map[time.Duration]*http2Server)
	h.mu.Unlock()
	ended, end := context.WithCancel(context.Background())
	end()
	for _, server := range former {
		// Shutdown starts the GOAWAYs and then waits, for nobody here.
		_ = server.http.Shutdown(ended)
	}
}

// close ends all servers and waits for them. Their connections are closed.
func (h *http2Servers) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.goAway()
	h.running.Wait()
}

// Accept waits for the next connection whose handshake is done.
func (l *http2Server) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *http2Server) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns no address: the real listeners have them.
func (l *http2Server) Addr() net.Addr { return &net.TCPAddr{} }

// connKey is the key of the *conn in the context of its requests.
type connKey struct{}

func withConn(ctx context.Context, t net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, connOf(t))
}

func connOf(t net.Conn) *conn { return t.(*tls.Conn).NetConn().(*conn) }

// followHTTP2 learns from the library whether a connection carries requests.
func followHTTP2(t net.Conn, state http.ConnState) {
	c := connOf(t)
	switch state {
	case http.StateActive:
		// Streams have watches of their own.
		c.watch.use.CompareAndSwap(resting, inUse)
		c.watch.disarm()
	case http.StateIdle:
		if !c.watch.rest(c.peer.timeouts.KeepAlive + idleSlack) {
			c.watch.arm(freshGrace) // the last frames are on their way
		}
	}
}

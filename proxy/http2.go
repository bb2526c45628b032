package proxy

import (
	"context"
	"crypto/tls"
	"log/slog"
	"math/bits"
	"net"
	"net/http"
	"sync"
	"time"

	"gatehouse/tenancy"
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

	// fieldOverhead is what a field counts beside its name and value (RFC 9113
	// section 6.5.2).
	fieldOverhead = 32

	// idleTimesMax bounds the number of servers kept, one for each keep_alive
	// and size of heads in use. A connection with one more shares one of theirs
	// that reads as large heads; if there is none, it gets its own, and there
	// are a dozen sizes.
	idleTimesMax = 64
)

// http2Servers speak HTTP/2 on connections whose handshake is done. The
// standard library's server does the framing; it knows one idle time and one
// size of heads, so there is a server for each.
type http2Servers struct {
	server  *Server
	mu      sync.Mutex
	byTerms map[http2Terms]*http.Server
}

// http2Terms are what connections have in common that share a server.
type http2Terms struct {
	idle time.Duration
	head int // see headRead
}

// headRead is what the library is to read of a head so that we judge it: a
// longer one gets a bare 431 of the library's. It is rounded up to a power of
// two, so that hosts with similar limits share a server.
func headRead(limits *tenancy.Limits) int {
	most := limits.Request.HeadBytes + limits.Request.Fields*fieldOverhead
	return 1 << bits.Len(uint(most))
}

func newHTTP2Servers(s *Server) *http2Servers {
	return &http2Servers{server: s, byTerms: make(map[http2Terms]*http.Server)}
}

// serve speaks HTTP/2 until the connection ends. The library's server is
// entered where it would come itself after a handshake of its own: a listener
// that hands it connections would cost a goroutine for each and tell the handler
// nothing of :scheme.
func (h *http2Servers) serve(c *conn, t *tls.Conn) {
	c.watch.pace.begin(&c.peer.limits.MinRate)
	c.watch.pace.answer()
	c.multiplexed.Store(true)
	server := h.on(http2Terms{c.peer.timeouts.KeepAlive, headRead(c.peer.limits)})
	server.TLSNextProto[nextProtoHTTP2](server, t, &streams{server: h.server, conn: c})
}

// streams is the handler of the requests of one connection.
type streams struct {
	server *Server
	conn   *conn
}

// ServeHTTP serves one request.
func (h *streams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.server.serveStream(h.conn, w, r)
}

// on returns the server for these terms.
func (h *http2Servers) on(terms http2Terms) *http.Server {
	h.mu.Lock()
	defer h.mu.Unlock()
	if server, ok := h.byTerms[terms]; ok {
		return server
	}
	if len(h.byTerms) >= idleTimesMax {
		for other, server := range h.byTerms {
			if other.head == terms.head {
				return server
			}
		}
	}
	server := h.newServer(terms)
	h.byTerms[terms] = server
	return server
}

func (h *http2Servers) newServer(terms http2Terms) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	server := &http.Server{
		Protocols:                    &protocols,
		IdleTimeout:                  terms.idle,
		MaxHeaderBytes:               terms.head,
		ErrorLog:                     slog.NewLogLogger(h.server.log.Handler(), slog.LevelDebug),
		ConnState:                    followHTTP2,
		DisableGeneralOptionsHandler: true,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          streamsMax,
			MaxReadFrameSize:              frameBytesMax,
			MaxReceiveBufferPerStream:     streamWindowBytes,
			MaxReceiveBufferPerConnection: connWindowBytes,
		},
	}
	// Serve sets HTTP/2 up and finds nothing to accept.
	_ = server.Serve(noListener{})
	return server
}

// goAway sends GOAWAY on every connection. The library closes each when its
// streams have ended. Connections that come later get new servers.
func (h *http2Servers) goAway() {
	h.mu.Lock()
	former := h.byTerms
	h.byTerms = make(map[http2Terms]*http.Server)
	h.mu.Unlock()
	ended, end := context.WithCancel(context.Background())
	end()
	for _, server := range former {
		_ = server.Shutdown(ended)
	}
}

// noListener has nothing to accept.
type noListener struct{}

func (noListener) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (noListener) Close() error              { return nil }
func (noListener) Addr() net.Addr            { return &net.TCPAddr{} }

// followHTTP2 learns from the library whether a connection carries requests.
func followHTTP2(t net.Conn, state http.ConnState) {
	c := t.(*tls.Conn).NetConn().(*conn)
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

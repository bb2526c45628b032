package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// headBytesMax bounds a request's head: commands send a few hundred bytes.
	headBytesMax = 16 << 10
	// connectionsMax bounds each door: operators, one scraper and a few load
	// balancers; more would be somebody exhausting our descriptors.
	connectionsMax = 64
	// headTimeout and idleTimeout end whoever connects and says nothing.
	headTimeout = 5 * time.Second
	idleTimeout = 60 * time.Second
	// answerTimeout bounds an answer on TCP. The socket has none: a profile
	// takes as long as it was asked to.
	answerTimeout = 30 * time.Second
	// closeTimeout is how long answers under way may take when the gateway stops.
	closeTimeout = 2 * time.Second
)

// House is what the admin doors can see and touch. Every function must be safe
// for concurrent use.
type House struct {
	// Ready returns nil when the gateway takes traffic, else why not.
	Ready func() error
	// Status describes the gateway as it runs.
	Status func() Status
	// Explain judges a request without sending one. Its error is for the caller:
	// a query that makes no sense.
	Explain func(ExplainQuery) (Explanation, error)
	// Why says what became of the request with a ref. Its error says that it is
	// not remembered.
	Why func(ref string) (Why, error)
	// Reload reads the files again and waits until the outcome is known. force
	// applies it even if many tenants would go.
	Reload func(ctx context.Context, force bool, actor string) (ReloadResult, error)
	// RootPEM is the internal CA's root certificate; empty where it is not used.
	RootPEM func() []byte
	// Certificates are those that clients are shown.
	Certificates Certificates
	// Levers are what operators can order at once.
	Levers Levers
	// Keys are those that seal the state.
	Keys KeyRing
	// Metrics answers a scrape.
	Metrics http.Handler
}

// Guard says who may use the admin listener. Its zero value admits everybody
// who can connect, which is right on loopback only.
type Guard struct {
	Host   string                // the host name of the listener's address, if it has one
	Token  string                // bearer token; empty: none is asked for
	Admits func(netip.Addr) bool // nil: any address
}

// Server serves the doors. Make one with [New]; it starts nothing by itself.
type Server struct {
	house House
	log   *slog.Logger
}

// New returns a Server that looks at the gateway through house.
func New(house House, log *slog.Logger) *Server {
	return &Server{house: house, log: log}
}

// ServeSocket serves the command socket until ctx ends. Get l from
// [ListenSocket].
func (s *Server) ServeSocket(ctx context.Context, l net.Listener) error {
	return s.serve(ctx, "command socket", l, nil, &http.Server{Handler: s.socketHandler()})
}

// ServeAdmin serves metrics and status, read-only, until ctx ends.
func (s *Server) ServeAdmin(ctx context.Context, l net.Listener, g Guard) error {
	return s.serve(ctx, "admin listener", l, g.Admits, &http.Server{Handler: g.wrap(s.readOnlyHandler()), WriteTimeout: answerTimeout})
}

// ServeHealth serves /livez and /readyz to the addresses that admits admits,
// nil meaning all, until ctx ends.
func (s *Server) ServeHealth(ctx context.Context, l net.Listener, admits func(netip.Addr) bool) error {
	handler := readOnly(admitted(admits, s.healthHandler()))
	return s.serve(ctx, "health listener", l, admits, &http.Server{Handler: handler, WriteTimeout: answerTimeout})
}

// serve serves the addresses that admits admits, nil meaning all.
func (s *Server) serve(ctx context.Context, name string, l net.Listener, admits func(netip.Addr) bool, server *http.Server) error {
	server.ReadHeaderTimeout = headTimeout
	server.ReadTimeout = 2 * headTimeout
	server.IdleTimeout = idleTimeout
	server.MaxHeaderBytes = headBytesMax
	server.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)

	defer revoking(context.WithoutCancel(ctx), server, admits)()
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close() // what is still open had its time
		}
	})
	err := server.Serve(netutil.LimitListener(screened{l, admits}, connectionsMax))
	if errors.Is(err, http.ErrServerClosed) {
		<-stopped
		return nil
	}
	unhook()
	return fmt.Errorf("%s %s: %w", name, l.Addr(), err)
}

package proxy

import (
	"crypto/tls"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/internal/token"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// Server is the data plane: it accepts connections, asks the table in use what
// to do with each, and moves the bytes. New makes one, Apply gives it a table,
// Serve runs it. All methods may be called at the same time.
type Server struct {
	options Options
	log     *slog.Logger
	metrics *metrics.Set

	clock        *clock
	sweepEvery   time.Duration // a tick, unless a test lets ticks pass itself
	current      atomic.Pointer[snapshot]
	certificates atomic.Pointer[tlsconfig.Index]
	policies     *tlsconfig.Policies
	greeting     *tls.Config // picks a policy for each ClientHello
	processors   *processors
	means        *means
	encoding     encoding
	budget       budget
	room         limit.Room // for the client addresses of all ceilings and listeners
	hashing      limit.Gate // lets passwords be hashed, of all tenants together
	rooms        rooms
	// shakers are the handshakes of clients, by listener; since Serve.
	shakers   atomic.Pointer[map[string]*limit.Keyed]
	registry  registry
	checks    *pool.Checks // of backends
	names     *pool.Names  // that backends are written by
	nameLines lineBudget   // for the log of their lookups
	refusals  refusalLog
	receipts  receipts
	access    *accessLog
	http2     *http2Servers
	standard  *standardServer // serves HTTP/1.1 unless nil
	buffers   buffers
	copies    copies

	applying  sync.Mutex   // held while open connections are judged again
	nextUntil atomic.Int64 // Unix seconds at which an access list changes by itself

	// announced: every answer ends its connection. stopping: nothing is
	// accepted any more, and idle connections are closed.
	announced atomic.Bool
	stopping  atomic.Bool
	lifetime  lifetime
}

// New returns a server that has no table yet and runs nothing.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Signing.IsZero() {
		o.Signing = token.NewKey()
	}
	s := &Server{
		options:    o,
		log:        o.Log,
		metrics:    o.Metrics,
		clock:      newClock(),
		processors: newProcessors(),
		access:     newAccessLog(o),
		checks:     pool.NewChecks(),
	}
	s.names = s.newNames(o.Finder)
	s.sweepEvery = tick
	s.means = newMeans(o, s.clock)
	s.receipts.seed = maphash.MakeSeed()
	s.encoding.init()
	s.policies = tlsconfig.NewPolicies(tlsconfig.PolicyOptions{
		Tenant:      s.tenantOf,
		Certificate: chosenCertificate,
	})
	s.greeting = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: s.configFor}
	s.http2 = newHTTP2Servers(s)
	if o.DataPlane == StandardPlane {
		s.standard = newStandardServer(s)
	}
	s.hashing.Set(limit.Bounds{Most: max(1, runtime.GOMAXPROCS(0)/hashersShare), Queue: allHashQueueMax, Wait: hashWaitMax})
	s.copies.init()
	s.lifetime.init()
	return s
}

// SetCertificates puts another index of certificates into use, for handshakes
// that begin from now on.
func (s *Server) SetCertificates(x *tlsconfig.Index) { s.certificates.Store(x) }

// Policies gives access to the TLS policies, for the keys of session tickets.
func (s *Server) Policies() *tlsconfig.Policies { return s.policies }

// ReasonNames returns the words of the refusal reasons by their numbers, as
// [metrics.New] takes them.
func ReasonNames() []string {
	names := []string{tenancy.NoReason.String()}
	for _, r := range tenancy.AllReasons() {
		names = append(names, r.String())
	}
	return names
}

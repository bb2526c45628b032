package acme

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/tlsconfig"
)

// Options are what a Manager works with.
type Options struct {
	// Store keeps keys, orders, certificates, budgets and the state of hosts.
	// It holds private keys: it must seal.
	Store store.Store
	Log   *slog.Logger
	// Metrics may be nil.
	Metrics *metrics.ACME
	// Now is the clock of the wall. It may jump.
	Now func() time.Time
	// Decoded bounds how many certificates are ready for handshakes at a time.
	Decoded *tlsconfig.Decoded
	// Publish receives, by tenant, all certificates now held for each tenant
	// where something changed; none is an empty slice. Load calls it once, with
	// everything, and afterwards Run does, one call at a time and a few times a
	// second at most. It must not call the Manager. The map is its own.
	Publish func(changed map[string][]*tlsconfig.Certificate)
}

// orderer gets one certificate; *engine does. It is what the Manager, which
// sees to all certificates, asks of it.
type orderer interface {
	configure(*Settings)
	close()
	obtain(context.Context, request) (*bundle, error)
	window(context.Context, *bundle) (ariWindow, error)
	staple(context.Context, *bundle) (staple, error)
	revoke(ctx context.Context, b *bundle, reason int) error
	unfinished(context.Context) (map[string][]string, error)
	accounts(context.Context) ([]AccountStatus, error)
	rollKey(context.Context, *authority) error
}

// Manager keeps hosts in possession of certificates. Its methods may be called
// at the same time. Only Run, and those that take a context, wait for a store,
// a network or a process.
type Manager struct {
	o          Options
	engine     orderer
	challenges *challenges
	shelf      bundles
	turns      *locks // of the engine, by name: who changes what shelf holds
	budget     *budget
	preflight  *preflight
	look       lookFunc // of preflight

	wake    chan struct{} // holds one token while the keeper has something to do
	unsaved chan struct{} // the same for the saver
	printed chan struct{} // the same for the publisher
	group   sync.WaitGroup

	mu       sync.Mutex // never held while anything is waited for
	settings *Settings
	hosts    map[string]*entry
	named    bool   // SetHosts was called
	round    uint64 // of SetHosts
	queue    queue
	outages  outages
	work     workload
	saved    shards
	stale    map[string]bool // tenants whose certificates are to be published
	rescan   bool
	scanned  time.Time
}

// New returns a Manager of no hosts. It starts nothing.
func New(o Options) *Manager {
	e := newEngine(o.Store, o.Log, o.Now)
	m := &Manager{
		o:          o,
		engine:     e,
		challenges: e.challenges,
		shelf:      e.bundles,
		turns:      &e.hosts,
		budget:     newBudget(o.Store, o.Log),
		preflight:  newPreflight(e),
		wake:       make(chan struct{}, 1),
		unsaved:    make(chan struct{}, 1),
		printed:    make(chan struct{}, 1),
		hosts:      make(map[string]*entry),
		outages:    make(outages),
		stale:      make(map[string]bool),
	}
	m.work.at = make(map[string]int)
	m.look = m.preflight.look
	return m
}

// HTTP01 returns the answer to a token of a pending challenge of host (RFC 8555
// section 8.3). It never waits.
func (m *Manager) HTTP01(host, token string) (keyAuth string, ok bool) {
	return m.challenges.http01(host, token)
}

// TLSALPN01 returns the certificate that answers a pending challenge of name
// (RFC 8737), or nil. It never waits.
func (m *Manager) TLSALPN01(name string) *tls.Certificate { return m.challenges.tlsALPN01(name) }

package gateway

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/internal/acme"
	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/livesets"
	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/proxy"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// Options are what the command line says.
type Options struct {
	Config  string // main file
	Strict  bool   // do not start while a tenant's file is broken, or those of the last run are missing
	Version string
	Log     *slog.Logger // is called under locks and in requests, and so must not wait
	// LogDropped is how many lines Log has dropped. May be nil.
	LogDropped func() uint64
	Stdout     io.Writer // where the access log goes if the main file says stdout
	// Ready is called once connections are accepted, with the root certificate
	// of the internal CA, if it is used. Its error takes the gateway down. May
	// be nil.
	Ready func(rootPEM []byte) error

	below func(store.Store) store.Store // tests make the state folder slow by it; nil: as it is
}

// gateway is one running process.
type gateway struct {
	options     Options
	log         *slog.Logger
	startedAt   time.Time
	started     *Config           // what the process was started with
	startedWith map[string]string // the same, as startKeys describes it
	listeners   []*tenancy.Listener

	loader    *loader
	state     *state
	accessLog *accessLog
	metrics   *metrics.Set
	server    *proxy.Server
	presenter *presenter
	issuer    *issuer
	acme      *acme.Manager
	issued    [sha256.Size]byte // digest of the issuance in use; the reload loop's own
	copies    *copies
	levers    *leverBook
	canaries  *canaryBook
	sets      *livesets.Keeper
	mayFetch  func(netip.AddrPort) error // for URLs of sources; listeners are those of the start
	watcher   *watcher

	requests  chan request
	rotations chan rotateRequest
	ticks     chan struct{} // holds one: more ticks say nothing more
	hangups   chan os.Signal
	leaving   chan struct{} // closed once nothing is reloaded any more
	said      said          // the reload loop's own

	changing   sync.Mutex // held while another table is put into use
	current    atomic.Pointer[loaded]
	sealedWith atomic.Pointer[string] // where the keys in use are named, as sealed describes it
	lastReload atomic.Pointer[admin.ReloadResult]
	serving    atomic.Bool
	absent     atomic.Pointer[absence] // nil: no tenant of the last run is missed
	announced  atomic.Bool
}

// Run serves the routing table until ctx ends, then drains. Its error says why
// it could not start, or what did not end well.
func Run(ctx context.Context, o Options) (err error) {
	g := &gateway{
		options: o, log: o.Log, startedAt: time.Now(),
		loader:   newLoader(o.Config, toRun),
		metrics:  metrics.New(proxy.ReasonNames()...),
		requests: make(chan request), rotations: make(chan rotateRequest), ticks: make(chan struct{}, 1),
		hangups: make(chan os.Signal, 1), leaving: make(chan struct{}),
	}
	signal.Notify(g.hangups, syscall.SIGHUP) // already here: unhandled it ends the process
	defer signal.Stop(g.hangups)
	life := context.WithoutCancel(ctx) // a start is short and ends as every run does
	if err := g.readMain(); err != nil {
		return err
	}
	base := g.loader.base()
	if g.state, err = g.openState(life, g.started.state(base), g.loader.sealPlaces(g.started)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.state.files.Close()) }()
	first, err := g.loadFirst(life)
	if err != nil {
		return err
	}
	if g.accessLog, err = openAccessLog(g.started.Log.Access.V, base, o.Stdout); err != nil {
		return fmt.Errorf("%s: %w", o.Config, err)
	}
	defer func() { err = errors.Join(err, g.accessLog.close()) }()
	g.watcher = newWatcher(g.accessLog.path, g.log)
	defer func() { err = errors.Join(err, g.watcher.close()) }()
	doors, err := g.open(life, first)
	if err != nil {
		return err
	}
	defer doors.close()
	return g.serve(ctx, first, doors)
}

// readMain reads what must be known before the state can be opened.
func (g *gateway) readMain() error {
	report := new(conf.Report)
	config, _, err := g.loader.main(report)
	if err == nil && report.Faults() > 0 {
		err = faultsError(report.Findings())
	}
	g.started = config
	return err
}

// loadFirst compiles the tree for the first time: tenants with a broken file
// run on the copy in the state folder.
func (g *gateway) loadFirst(ctx context.Context) (*loaded, error) {
	g.copies = newCopies(g.state.blobs, g.log)
	g.loader.lastGood = func(tenant string) ([]byte, bool) { return g.copies.text(ctx, tenant) }
	first, err := g.loader.load(nil)
	if err != nil {
		return nil, err
	}
	findings := nonNil(first.result.Report.Findings())
	if !first.result.Applicable() || g.options.Strict && len(first.result.Quarantined) > 0 {
		return nil, faultsError(findings)
	}
	if err := g.missAtStart(ctx, first); err != nil {
		return nil, err
	}
	g.listeners = first.table.Listeners()
	g.mayFetch = first.table.FetchRules()
	g.startedWith = g.loader.startKeys(g.started, g.listeners)
	places := sealed(g.started)
	g.sealedWith.Store(&places)
	g.said = said{findings: findings}
	g.tell(ctx, findings, quarantines(first.result))
	return first, nil
}

// serve wires the parts together and runs them. The order of going down is
// traffic first, then what operators look at, then the state.
func (g *gateway) serve(ctx context.Context, first *loaded, d doors) error {
	life := context.WithoutCancel(ctx)
	background, stop := context.WithCancel(life)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()

	g.furnish(background, &parts)
	if err := errors.Join(g.levers.load(background), g.canaries.load(background)); err != nil {
		return err
	}
	if err := g.issuer.setNames(background, internalNames(first.table)); err != nil {
		return err
	}
	if err := g.loadACME(background); err != nil {
		return err
	}
	rotator := g.rotator()
	rotator.Prepare(background)
	parts.Go(func() { _ = rotator.Run(background) }) // ends with its context alone
	g.startSets(background, &parts)
	g.apply(background, first)
	g.forgetGone(background, first)
	parts.Go(func() { g.copies.run(background) })
	parts.Go(func() { g.levers.run(background) })
	parts.Go(func() { g.canaries.run(background) })
	parts.Go(func() { _ = g.acme.Run(background) }) // ends with its context alone

	failed := make(chan error, len(d.admin))
	g.startAdmin(background, &parts, d, failed)
	g.watch(first, first, true)
	parts.Go(func() { g.reloadLoop(background) })
	parts.Go(func() { g.keysLoop(background) })
	parts.Go(func() { g.watcher.run(background, g.tick) })

	g.metrics.Ready(func() bool { return g.ready() == nil })
	g.metrics.Levers(g.leverCounts)
	g.metrics.LeversLost(g.levers.hasLost)
	g.metrics.LogDropped(g.options.LogDropped)
	served := make(chan error, 1)
	go func() { served <- g.server.Serve(life, d.traffic) }()
	g.serving.Store(true)
	err := g.greet()
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-failed:
		}
	}
	g.goDown(life)
	return errors.Join(err, <-served)
}

// furnish makes what a table is put into. What it starts later is counted in
// parts.
func (g *gateway) furnish(ctx context.Context, parts *sync.WaitGroup) {
	memory := memoryToShare()
	parts.Go(func() { newCollector(memory).run(ctx) })
	g.presenter = &presenter{log: g.log, kept: keptPairs{log: g.log}, publish: func(x *tlsconfig.Index) { g.server.SetCertificates(x) }}
	g.acme = g.newACME()
	g.canaries = newCanaryBook(g.state.blobs, g.log)
	g.server = proxy.New(proxy.Options{
		Log: g.log, Metrics: g.metrics, AccessLog: g.accessLog.writer(),
		LogQuery: g.started.Log.QueryMode(), LogClient: g.started.Log.ClientMode(), Drain: g.started.drain(),
		DataPlane: g.started.plane(), Challenges: g.acme, Finder: g.started.resolver(), Signing: g.state.signingKey(ctx, g.log),
		Aborts: g.canaries,
		Memory: memory, Connections: connectionsMost(), BackendConnections: connectionsMost(),
	})
	g.levers = newLeverBook(g.state.blobs, g.log)
	g.sets = g.newSets()
	g.issuer = &issuer{blobs: g.state.blobs, log: g.log, publish: g.presenter.setLeaves, parts: parts}
}

// greet says that the gateway takes traffic.
func (g *gateway) greet() error {
	table := g.current.Load().table
	g.log.Info("serving", "version", g.options.Version, "config", g.options.Config,
		"generation", table.Generation(), "tenants", len(table.Tenants()), "keys", g.state.keys.protection())
	notifySystemd(g.log, "READY=1")
	if g.options.Ready == nil {
		return nil
	}
	return g.options.Ready(g.issuer.rootPEM())
}

// goDown announces, drains, and returns when no connection is left.
func (g *gateway) goDown(ctx context.Context) {
	g.announced.Store(true)
	notifySystemd(g.log, "STOPPING=1")
	g.server.Announce()
	announce := time.Duration(g.started.Shutdown.Announce.V)
	g.log.Info("going down", "announce", announce, "drain", g.started.drain())
	timer := time.NewTimer(announce)
	defer timer.Stop()
	<-timer.C
	late, cancel := context.WithTimeout(ctx, g.started.drain())
	defer cancel()
	if err := g.server.Shutdown(late); err != nil {
		g.log.Warn("the time to drain is over; what was still open is cut")
	}
}

// rotator keeps the keys of session tickets in the state folder.
func (g *gateway) rotator() *tlsconfig.Rotator {
	return &tlsconfig.Rotator{
		Load: g.state.loadTicketKeys, Save: g.state.saveTicketKeys,
		Apply: g.server.Policies().SetTicketKeys, Log: g.log,
	}
}

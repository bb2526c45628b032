package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/proxy"
	"gatehouse/tlsconfig"
)

// Options are what the command line says.
type Options struct {
	Config  string // main file
	Strict  bool   // do not start while a tenant's file is broken
	Version string
	Log     *slog.Logger
	Stdout  io.Writer // where the access log goes if the main file says stdout
	// Ready is called once connections are accepted, with the root certificate
	// of the internal CA, if it is used. Its error takes the gateway down. May
	// be nil.
	Ready func(rootPEM []byte) error
}

// gateway is one running process.
type gateway struct {
	options   Options
	log       *slog.Logger
	startedAt time.Time
	started   *Config // what the process was started with

	loader    *loader
	state     *state
	accessLog *accessLog
	metrics   *metrics.Set
	server    *proxy.Server
	presenter *presenter
	issuer    *issuer
	copies    *copies
	watcher   *watcher

	requests chan request
	ticks    chan struct{} // holds one: more ticks say nothing more
	hangups  chan os.Signal
	leaving  chan struct{} // closed once nothing is reloaded any more

	current    atomic.Pointer[loaded]
	lastReload atomic.Pointer[admin.ReloadResult]
	serving    atomic.Bool
	announced  atomic.Bool
}

// SocketPath returns the command socket of the gateway that runs on a main
// file.
func SocketPath(config string) (string, error) {
	report := new(conf.Report)
	l := newLoader(config, toExplain)
	c, _, err := l.main(report)
	if err != nil {
		return "", err
	}
	return socketPath(c.state(l.base())), nil
}

// Run serves the routing table until ctx ends, then drains. Its error says why
// it could not start, or what did not end well.
func Run(ctx context.Context, o Options) (err error) {
	g := &gateway{
		options: o, log: o.Log, startedAt: time.Now(),
		loader:   newLoader(o.Config, toRun),
		metrics:  metrics.New(proxy.ReasonNames()...),
		requests: make(chan request), ticks: make(chan struct{}, 1),
		hangups: make(chan os.Signal, 1), leaving: make(chan struct{}),
	}
	if err := g.readMain(); err != nil {
		return err
	}
	if g.state, err = openState(ctx, g.started.state(g.loader.base()), g.started.Seal, g.loader.base(), g.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.state.files.Close()) }()
	first, err := g.loadFirst(ctx)
	if err != nil {
		return err
	}
	if g.accessLog, err = openAccessLog(g.started.Log.Access.V, g.loader.base(), o.Stdout); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.accessLog.close()) }()
	if g.watcher, err = newWatcher(g.log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.watcher.close()) }()
	doors, err := g.open(ctx, first)
	if err != nil {
		return err
	}
	return g.serve(ctx, first, doors)
}

// readMain reads what must be known before the state can be opened.
func (g *gateway) readMain() error {
	path, err := filepath.Abs(g.options.Config)
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("main file: %w; name another with -c", err)
	}
	report := new(conf.Report)
	g.started, _, err = g.loader.main(report)
	if err == nil && report.Faults() > 0 {
		err = faultsError(report.Findings())
	}
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
	if !first.result.Applicable() {
		return nil, faultsError(first.result.Report.Findings())
	}
	for _, f := range first.result.Report.Findings() {
		g.log.Warn("finding", "severity", f.Severity.String(), "at", f.Pos.String(), "text", f.Text, "hint", f.Hint)
	}
	for _, q := range first.result.Quarantined {
		g.log.Error("tenant quarantined", "tenant", q.Tenant, "file", q.File, "served", q.Served)
	}
	if g.options.Strict && len(first.result.Quarantined) > 0 {
		return nil, faultsError(first.result.Report.Findings())
	}
	return first, nil
}

// doors are the sockets that were opened.
type doors struct {
	traffic []proxy.Listener
	admin   []func(ctx context.Context, s *admin.Server) error
	close   func()
}

// serve wires the parts together and runs them. The order of going down is
// traffic first, then what operators look at, then the state.
func (g *gateway) serve(ctx context.Context, first *loaded, d doors) error {
	defer d.close()
	life := context.WithoutCancel(ctx)
	background, stop := context.WithCancel(life)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()

	g.server = proxy.New(proxy.Options{
		Log: g.log, Metrics: g.metrics, AccessLog: g.accessLog.writer(),
		LogQuery: g.started.Log.QueryMode(), LogClient: g.started.Log.ClientMode(), Drain: g.drainTime(),
	})
	g.presenter = &presenter{log: g.log, publish: g.server.SetCertificates}
	g.issuer = &issuer{blobs: g.state.blobs, log: g.log, publish: g.presenter.setLeaves, parts: &parts}
	if err := g.issuer.setNames(background, internalNames(first.table)); err != nil {
		return err
	}
	parts.Go(func() { g.copies.run(background) })
	rotator := g.rotator()
	rotator.Prepare(background)
	parts.Go(func() { _ = rotator.Run(background) }) // ends with its context alone
	g.apply(background, first)

	failed := make(chan error, len(d.admin))
	g.startAdmin(background, &parts, d, failed)
	signal.Notify(g.hangups, syscall.SIGHUP)
	defer signal.Stop(g.hangups)
	parts.Go(func() { g.reloadLoop(background) })
	parts.Go(func() { g.watcher.run(background, g.tick) })

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
	return errors.Join(err, g.goDown(life), <-served)
}

// greet says that the gateway takes traffic.
func (g *gateway) greet() error {
	table := g.current.Load().table
	g.log.Info("serving", "version", g.options.Version, "config", g.options.Config,
		"generation", table.Generation(), "tenants", len(table.Tenants()), "keys", g.state.protection)
	notifySystemd(g.log, "READY=1")
	if g.options.Ready == nil {
		return nil
	}
	return g.options.Ready(g.issuer.rootPEM())
}

// goDown announces, drains, and returns when no connection is left.
func (g *gateway) goDown(ctx context.Context) error {
	g.announced.Store(true)
	notifySystemd(g.log, "STOPPING=1")
	g.server.Announce()
	announce := time.Duration(g.started.Shutdown.Announce.V)
	g.log.Info("going down", "announce", announce, "drain", g.drainTime())
	timer := time.NewTimer(announce)
	defer timer.Stop()
	<-timer.C
	late, cancel := context.WithTimeout(ctx, g.drainTime())
	defer cancel()
	if err := g.server.Shutdown(late); err != nil {
		g.log.Warn("the time to drain is over; what was still open is cut")
	}
	return nil
}

func (g *gateway) drainTime() time.Duration {
	return time.Duration(g.started.Shutdown.Drain.Or(defaultDrain))
}

// rotator keeps the keys of session tickets in the state folder.
func (g *gateway) rotator() *tlsconfig.Rotator {
	return &tlsconfig.Rotator{
		Load: g.state.loadTicketKeys, Save: g.state.saveTicketKeys,
		Apply: g.server.Policies().SetTicketKeys, Log: g.log,
	}
}

package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"gatehouse/internal/store"
)

// obtainTimeMax bounds one attempt, from the order to the stored certificate.
// Slow DNS alone may take minutes; an attempt that is cut off is resumed.
const obtainTimeMax = 15 * time.Minute

// errUnused says that the configuration does not use ACME.
var errUnused = &problem{Doing: "use ACME", Cause: causeRequest, Detail: "the configuration does not name an authority", Kept: true}

// engine gets one certificate at a time, any number of them concurrently. It
// starts no goroutine.
type engine struct {
	store      store.Store // sealed
	bundles    bundles
	log        *slog.Logger
	zap        *zap.Logger
	now        func() time.Time
	challenges *challenges
	responders *http.Client // of OCSP
	settings   atomic.Pointer[Settings]
	hosts      locks // by name: one attempt at a time for each
	magic      locks // certmagic's own

	mu      sync.Mutex
	clients map[string]*client // by authority.ID
}

// newEngine returns an engine without settings: call configure before anything
// is asked of it.
func newEngine(s store.Store, log *slog.Logger, now func() time.Time) *engine {
	return &engine{
		store: s, log: log, now: now, zap: zapTo(log),
		bundles:    bundles{s, log},
		responders: newResponders(),
		challenges: new(challenges),
		clients:    map[string]*client{},
	}
}

// configure replaces the settings; nil: ACME is not used. Attempts in progress
// end with the former.
func (e *engine) configure(s *Settings) { e.settings.Store(s) }

// authorities are those of the settings; none where ACME is not used.
func (e *engine) authorities() []*authority {
	if s := e.settings.Load(); s != nil {
		return s.authorities
	}
	return nil
}

// close lets go of idle connections.
func (e *engine) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clients {
		c.close()
	}
}

// client returns the client of an authority, whose account and connections
// outlive a change of the settings.
func (e *engine) client(a *authority) *client {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.clients[a.ID]
	if c == nil || !c.authority.same(a) {
		if c != nil {
			c.close()
		}
		c = newClient(a, e.now)
		e.clients[a.ID] = c
	}
	return c
}

// obtain gets one certificate and stores it. It resumes the order that a killed
// process, or a failed attempt, left. Errors are *problem.
func (e *engine) obtain(ctx context.Context, req request) (*bundle, error) {
	settings := e.settings.Load()
	if settings == nil {
		return nil, errUnused
	}
	ctx = beginObtaining(ctx)
	if err := e.hosts.lock(ctx, req.Name); err != nil {
		return nil, localProblem("wait for another attempt", err)
	}
	defer func() { _ = e.hosts.unlock(req.Name) }()
	ctx, cancel := context.WithTimeout(ctx, obtainTimeMax)
	defer cancel()

	held, err := e.bundles.get(ctx, req.Name)
	if err != nil {
		return nil, localProblem("look for a certificate", err)
	}
	order, err := e.takeUp(ctx, req, settings.mustStaple, held)
	if err != nil {
		return nil, localProblem("take up the order", err)
	}
	if order.ledTo(held) {
		e.forget(ctx, order)
		return held, nil
	}
	w := &issuance{
		engine: e, settings: settings, req: req, order: order,
		resource: &resource{
			bundles: e.bundles, locks: &e.magic, present: held,
			result: &bundle{
				Name: req.Name, Tenant: req.Tenant, CA: req.CA.Name, CAID: req.CA.ID,
				Profile: req.CA.profile(req.Host), Because: req.Because,
			},
		},
	}
	done, err := w.run(ctx)
	if err != nil && order.unknown(asProblem(err)) {
		e.forget(ctx, order) // or the next process took it for one that is paid for
	}
	return done, err
}

// issuance is one attempt. It is certmagic's storage, key source and issuer in
// one, so that certmagic decides what happens in which order, and the order
// itself, its key and its certificate are ours to keep.
type issuance struct {
	*resource
	engine   *engine
	settings *Settings // those that the attempt began with
	req      request
	order    *pendingOrder
	failed   error // of the order; certmagic wraps and repeats it
}

// run lets certmagic obtain or renew the certificate.
func (w *issuance) run(ctx context.Context) (*bundle, error) {
	magic := w.config()
	var err error
	if w.present == nil {
		err = magic.ObtainCertSync(ctx, w.req.Name)
	} else {
		err = magic.RenewCertSync(ctx, w.req.Name, true)
	}
	if err != nil {
		return nil, w.explain(err)
	}
	w.engine.forget(ctx, w.order)
	return w.present, nil
}

// config is a certmagic configuration for this attempt alone. Its cache is
// never filled and nothing maintains it: certificates are served from our own
// index, and renewed by our own queue.
func (w *issuance) config() *certmagic.Config {
	cache := new(certmagic.Cache)
	var magic *certmagic.Config
	cache.SetOptions(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return magic, nil },
		Logger:           w.engine.zap,
	})
	magic = certmagic.New(cache, certmagic.Config{
		Storage: w, KeySource: w, Issuers: []certmagic.Issuer{w},
		MustStaple: w.order.MustStaple,
		// The store is one blob of the state folder, which is in use all the time.
		DisableStorageCheck: true,
		DisableARI:          true,
		OCSP:                certmagic.OCSPConfig{DisableStapling: true},
		Logger:              w.engine.zap,
	})
	return magic
}

// Stat implements certmagic.Storage.
func (w *issuance) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	value, err := w.Load(ctx, key)
	if err != nil {
		return certmagic.KeyInfo{}, fs.ErrNotExist
	}
	return certmagic.KeyInfo{Key: key, Modified: w.present.Obtained, Size: int64(len(value)), IsTerminal: true}, nil
}

// GenerateKey implements certmagic.KeyGenerator: the key of the order, which is
// stored already.
func (w *issuance) GenerateKey() (crypto.PrivateKey, error) { return w.order.signer() }

// IssuerKey implements certmagic.Issuer.
func (w *issuance) IssuerKey() string { return w.req.CA.ID }

// Issue implements certmagic.Issuer by the order.
func (w *issuance) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	o := &ordering{
		engine: w.engine, settings: w.settings, client: w.engine.client(w.req.CA),
		req: w.req, order: w.order, held: w.present,
	}
	issued, err := o.run(ctx, csr)
	if err != nil {
		w.failed = err
		return nil, err
	}
	w.result.Obtained, w.result.Window, w.result.Account = w.engine.now(), issued.window, w.order.Account
	var chain []byte
	for _, der := range issued.chain {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return &certmagic.IssuedCertificate{Certificate: chain}, nil
}

// explain returns the error itself instead of certmagic's text about it.
func (w *issuance) explain(err error) error {
	switch {
	case w.failed != nil:
		return w.failed
	case w.resource.failed != nil:
		// The order is kept: the certificate can be had once more.
		return localProblem("store the certificate", w.resource.failed)
	}
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	return localProblem("get a certificate", err)
}

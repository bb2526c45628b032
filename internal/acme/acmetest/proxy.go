package acmetest

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// The beginnings of Pebble's paths, for Count and Intercept.
const (
	NewNonce   = "/nonce-plz"
	NewAccount = "/sign-me-up"
	NewOrder   = "/order-plz"
	Order      = "/my-order/"
	Finalize   = "/finalize-order/"
	Authz      = "/authZ/"
	Challenge  = "/chalZ/"
	Download   = "/certZ/"
	Revoke     = "/revoke-cert"
	KeyChange  = "/rollover-account-key"
	Renewal    = "/draft-ietf-acme-ari-03/"
)

// Proxy stands before an Authority as an authority of its own.
type Proxy struct {
	Directory string // URL
	Root      []byte // PEM
	server    *http.Server
	served    chan struct{} // closed when nothing is served any more
	upstream  *http.Transport

	mu        sync.Mutex
	counts    map[string]int
	orders    int
	issued    map[string]bool // orders that were finalized
	intercept Interceptor
}

// Proxy starts a proxy in front of the authority, until Close.
func (a *Authority) Proxy() (*Proxy, error) {
	target, err := url.Parse(a.Directory)
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.folder, "cert.pem"), filepath.Join(a.folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{
		Directory: "https://" + l.Addr().String() + "/dir", Root: a.Root,
		counts: map[string]int{}, issued: map[string]bool{}, served: make(chan struct{}),
		upstream: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}, MaxIdleConnsPerHost: 64},
	}
	silent := log.New(io.Discard, "", 0)
	forward := &httputil.ReverseProxy{Transport: p.upstream, ErrorLog: silent, Rewrite: func(r *httputil.ProxyRequest) {
		// The host stays, so that the authority's URLs lead here.
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "https", target.Host, r.In.Host
	}, ModifyResponse: p.note}
	p.server = &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, forward) }),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}, ErrorLog: silent, ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(p.served)
		_ = p.server.ServeTLS(l, "", "") // ends by Close alone
	}()
	return p, nil
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	p.mu.Lock()
	p.counts[r.URL.Path]++
	intercept := p.intercept
	p.mu.Unlock()
	if intercept == nil || !intercept(w, r, forward) {
		forward.ServeHTTP(w, r)
	}
}

// Interceptor sees a request before the authority does. It returns whether it
// has answered; it may have let the authority answer, by forward.
type Interceptor func(w http.ResponseWriter, r *http.Request, forward http.Handler) bool

// Intercept lets answer see every request first. nil ends that.
func (p *Proxy) Intercept(answer Interceptor) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intercept = answer
}

// note counts what the authority did, whether or not anybody hears of it.
func (p *Proxy) note(res *http.Response) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := res.Request.URL.Path
	switch {
	case path == NewOrder && res.StatusCode == http.StatusCreated:
		p.orders++
	case strings.HasPrefix(path, Finalize) && res.StatusCode == http.StatusOK:
		p.issued[path] = true
	}
	return nil
}

// Orders returns how many orders were placed.
func (p *Proxy) Orders() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.orders
}

// Certificates returns how many orders were finalized.
func (p *Proxy) Certificates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.issued)
}

// Count returns how many requests had a path that begins so.
func (p *Proxy) Count(path string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for one, count := range p.counts {
		if strings.HasPrefix(one, path) {
			n += count
		}
	}
	return n
}

// Close ends the proxy.
func (p *Proxy) Close() error {
	err := p.server.Close()
	<-p.served
	p.upstream.CloseIdleConnections()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

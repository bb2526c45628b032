package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// world is a server on loopback sockets of all four kinds, with tenants whose
// backends are real HTTP servers. Clients call from 127.0.0.1, 127.0.0.2 and so
// on.
type world struct {
	t       testing.TB
	server  *Server
	metrics *metrics.Set
	table   *tenancy.Table
	roots   *x509.CertPool
	log     *lines
	events  *lines
	proofs  proofs

	sockets map[string]net.Listener // direct, plain, proxied, forwarded
	listen  string                  // their YAML
	main    string                  // YAML of the main file
	tenants map[string]string       // YAML of the tenants' files; {backend} is the tenant's own
	files   fstest.MapFS            // beside them
	served  chan error
	finder  pool.Finder   // of backends' names; nil: the system's
	rests   bool          // the sweeper: ticks pass when the test says so
	prepare func(*Server) // before it serves; may be nil

	mu       sync.Mutex
	backends map[string]*httptest.Server
	handler  http.HandlerFunc // of all backends; nil answers with tenant and client
}

// balancer is the address of the load balancer in front of the listeners that
// believe one.
const balancer = "127.0.0.100"

// twoTenants is where most stories begin.
var twoTenants = map[string]string{
	"acme": `
hosts: [a.example, "*.apps.example"]
access: {allow: [127.0.0.1, 127.0.0.2, 192.0.2.7]}
backends: ["{backend}"]
`,
	"globex": `
hosts: [b.example]
access: {public: "a test"}
backends: ["{backend}"]
`,
}

// newWorld opens the sockets and serves the tenants.
func newWorld(t testing.TB, tenants map[string]string) *world {
	t.Helper()
	return newWorldOn(t, tenants, planeOf(t))
}

// newWorldWith serves tenants that have files beside theirs.
func newWorldWith(t testing.TB, files fstest.MapFS, tenants map[string]string) *world {
	t.Helper()
	return newWorldOf(t, &world{files: files, tenants: tenants}, planeOf(t))
}

func newWorldOn(t testing.TB, tenants map[string]string, plane DataPlane) *world {
	t.Helper()
	return newWorldOf(t, &world{tenants: tenants}, plane)
}

// newWorldOf completes w, which says what tenants there are, and serves it.
func newWorldOf(t testing.TB, w *world, plane DataPlane) *world {
	t.Helper()
	*w = world{
		t: t, metrics: metrics.New(ReasonNames()...), log: &lines{}, events: &lines{},
		sockets: make(map[string]net.Listener), tenants: maps.Clone(w.tenants), files: w.files,
		backends: make(map[string]*httptest.Server), served: make(chan error, 1), rests: w.rests, finder: w.finder, prepare: w.prepare,
	}
	w.server = New(Options{
		Log:        slog.New(slog.NewTextHandler(w.events, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics:    w.metrics,
		AccessLog:  w.log,
		Drain:      2 * time.Second,
		DataPlane:  plane,
		Challenges: &w.proofs,
		Finder:     w.finder,
	})
	if w.rests {
		w.server.sweepEvery = 1000 * time.Hour
	}
	if w.prepare != nil {
		w.prepare(w.server)
	}
	for _, name := range []string{"plain", "direct", "proxied", "forwarded"} {
		socket, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w.sockets[name] = socket
	}
	w.listen = fmt.Sprintf("http: [%q]\nhttps:\n- %q\n- {address: %q, client_ip: {proxy_protocol: [%s]}}\n",
		w.addr("plain"), w.addr("direct"), w.addr("proxied"), balancer)
	if !strings.Contains(fmt.Sprint(w.tenants), "handshake") {
		// A host that refuses with handshake does not go with such a listener.
		w.listen += fmt.Sprintf("- {address: %q, client_ip: {x_forwarded_for: [%s]}}\n", w.addr("forwarded"), balancer)
	}
	pair := newPair(t, "*.example", "*.apps.example")
	w.roots = x509.NewCertPool()
	w.roots.AddCert(pair.TLS().Leaf)
	w.server.SetCertificates(tlsconfig.NewIndex(map[string][]*tlsconfig.Certificate{"": {pair}}))
	w.apply()
	w.serve()
	return w
}

// newPair returns a certificate of these names, signed by itself.
func newPair(t testing.TB, names ...string) *tlsconfig.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tlsconfig.FromTLS("a test", &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (w *world) addr(listener string) string { return w.sockets[listener].Addr().String() }

func (w *world) serve() {
	var listeners []Listener
	unused := maps.Clone(w.sockets)
	for _, rules := range w.table.Listeners() {
		for name, socket := range w.sockets {
			if socket.Addr().String() == rules.Address {
				listeners = append(listeners, Listener{Rules: rules, Socket: socket})
				delete(unused, name)
			}
		}
	}
	for _, socket := range unused {
		socket.Close()
	}
	go func() { w.served <- w.server.Serve(context.Background(), listeners) }()
	w.t.Cleanup(func() {
		ended, end := context.WithCancel(context.Background())
		end()
		_ = w.server.Shutdown(ended)
		for _, b := range w.backends {
			b.CloseClientConnections()
			b.Close()
		}
		if w.t.Failed() {
			w.t.Logf("the log of events:\n%s", w.events)
		}
	})
}

// set writes a tenant's file anew, or deletes it, and applies the table.
func (w *world) set(tenant, text string) {
	w.t.Helper()
	if text == "" {
		delete(w.tenants, tenant)
	} else {
		w.tenants[tenant] = text
	}
	w.apply()
}

// apply compiles what is written and puts it into use.
func (w *world) apply() {
	w.t.Helper()
	w.table = w.compile()
	w.server.Apply(w.table)
}

func (w *world) compile() *tenancy.Table {
	w.t.Helper()
	var report conf.Report
	main := new(tenancy.MainSpec)
	if w.main != "" {
		conf.Decode("gatehouse.yaml", []byte(w.main), main, &report)
	}
	sets := ipallow.CompileSets(main.Sets, nil, &report)
	var listen struct {
		HTTP  conf.List[string]               `conf:"http"`
		HTTPS conf.List[tenancy.ListenerSpec] `conf:"https"`
	}
	conf.Decode("gatehouse.yaml", []byte(w.listen), &listen, &report)
	listeners := tenancy.CompileListeners(listen.HTTP, listen.HTTPS, sets, &report)
	var files []tenancy.TenantFile
	for _, id := range slices.Sorted(maps.Keys(w.tenants)) {
		text := strings.ReplaceAll(w.tenants[id], "{backend}", w.backend(id))
		files = append(files, tenancy.TenantFile{ID: id, Path: id + ".yaml", Text: []byte(text)})
	}
	table, result := tenancy.Compile(tenancy.Input{
		Main: main, MainFile: "gatehouse.yaml", Sets: sets, Listeners: listeners, PublicPort: 8443,
		TLS: tenancy.TLSDefaults{Issuer: tenancy.InternalCA}, Files: files, FS: w.files, Now: time.Now(), Previous: w.table,
	})
	if len(report.Findings()) > 0 || !result.Applicable() || len(result.Quarantined) > 0 {
		w.t.Fatalf("the table does not compile: %v %v", report.Findings(), result.Report.Findings())
	}
	return table
}

// backend returns the URL of a tenant's backend.
func (w *world) backend(tenant string) string {
	if b := w.backends[tenant]; b != nil {
		return b.URL
	}
	b := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		handler := w.handler
		w.mu.Unlock()
		rw.Header().Set("X-Served-By", tenant)
		if handler != nil {
			handler(rw, r)
			return
		}
		fmt.Fprintf(rw, "%s for %s", tenant, r.Header.Get("X-Forwarded-For"))
	}))
	w.backends[tenant] = b
	return b.URL
}

// answerWith gives all backends another handler.
func (w *world) answerWith(f http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.handler = f
}

// from returns a dialler that calls from one of this machine's addresses.
func from(ip string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
}

// tlsConfig is what a client offers for a host.
func (w *world) tlsConfig(host string, protocols ...string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: w.roots, NextProtos: protocols}
}

// dial opens a TLS connection to the direct listener.
func (w *world) dial(ip, host string) *tls.Conn {
	w.t.Helper()
	c, err := w.tryDial(ip, w.tlsConfig(host))
	if err != nil {
		w.t.Fatalf("dial for %s from %s: %v", host, ip, err)
	}
	return c
}

func (w *world) tryDial(ip string, config *tls.Config) (*tls.Conn, error) {
	c, err := tls.DialWithDialer(from(ip), "tcp", w.addr("direct"), config)
	if err != nil {
		return nil, err
	}
	w.t.Cleanup(func() { c.Close() })
	return c, nil
}

// client is an HTTP client that finds every host at one listener and calls from
// one address.
func (w *world) client(listener, ip string, http2 bool) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	transport := &http.Transport{
		Protocols:       &protocols,
		TLSClientConfig: &tls.Config{RootCAs: w.roots},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return from(ip).DialContext(ctx, "tcp", w.addr(listener))
		},
	}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns status and body of a GET.
func (w *world) get(c *http.Client, url string) (int, string) {
	w.t.Helper()
	response, err := c.Get(url)
	if err != nil {
		w.t.Fatalf("GET %s: %v", url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("GET %s: %v", url, err)
	}
	return response.StatusCode, string(body)
}

// ask writes a request on a connection and reads the answer.
func ask(t testing.TB, c net.Conn, request string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatalf("writing %q: %v", request, err)
	}
	return readAnswer(t, bufio.NewReader(c))
}

// readAnswer reads an answer and its whole body.
func readAnswer(t testing.TB, r *bufio.Reader) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("reading an answer: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("reading the body of an answer: %v", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

func bodyOf(r *http.Response) string {
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

// get11 is a plain request.
func get11(host, path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
}

// endsWithin fails unless reading from c ends within d, and returns what came
// until then.
func endsWithin(t testing.TB, c net.Conn, d time.Duration) string {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(d))
	got, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection is open after %v", d)
	}
	return string(got)
}

// eventually waits until f is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !f() {
		select {
		case <-look.C:
		case <-deadline.C:
			t.Fatalf("it never happens: %s", what)
		}
	}
}

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/internal/token"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// gateway is a server with one tenant, acme, whose host is a.example, on a
// loopback socket.
type gateway struct {
	*Server
	addr  string
	roots *x509.CertPool
	from  net.IP // what clients connect from; nil: the usual
}

// setup is what a gateway may have besides its tenant.
type setup struct {
	rules   *tenancy.Listener // nil where clients connect directly
	files   fstest.MapFS      // beside the tenant's file
	plane   DataPlane
	signing token.Key
}

// startGateway compiles the text of the tenant's file and serves it.
func startGateway(t testing.TB, tenant string, with setup) *gateway {
	t.Helper()
	table := compileTable(t, tenant, with)
	rules := with.rules
	var events io.Writer = &testLog{t: t}
	if _, fuzzing := t.(*testing.F); fuzzing {
		events = io.Discard // its log is closed while inputs run
	}
	g := &gateway{Server: New(Options{
		Log:     slog.New(slog.NewTextHandler(events, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: metrics.New(ReasonNames()...),

		DataPlane: max(with.plane, planeOf(t)), Signing: with.signing,
	})}
	index, roots := testCertificates(t)
	g.roots = roots
	g.SetCertificates(index)
	g.Apply(table)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.addr = socket.Addr().String()
	if rules == nil {
		rules = &tenancy.Listener{Name: g.addr, Address: g.addr}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = g.Serve(context.Background(), []Listener{{Rules: rules, Socket: socket}})
	}()
	t.Cleanup(func() {
		ended, end := context.WithCancel(context.Background())
		end()
		_ = g.Shutdown(ended)
		<-served
	})
	return g
}

func compileTable(t testing.TB, tenant string, with setup) *tenancy.Table {
	t.Helper()
	var listeners []*tenancy.Listener
	if with.rules != nil {
		listeners = append(listeners, with.rules)
	}
	var report conf.Report
	table, result := tenancy.Compile(tenancy.Input{
		Main:      new(tenancy.MainSpec),
		MainFile:  "gatehouse.yaml",
		Sets:      ipallow.CompileSets(nil, nil, &report),
		Listeners: listeners,
		TLS:       tenancy.TLSDefaults{Issuer: tenancy.InternalCA},
		Files:     []tenancy.TenantFile{{ID: "acme", Path: "acme.yaml", Text: []byte(tenant)}},
		FS:        with.files,
		Now:       time.Now(),
	})
	if table == nil || table.Tenant("acme") == nil {
		for _, f := range result.Report.Findings() {
			t.Log(f)
		}
		t.Fatalf("the tenant does not compile:\n%s", tenant)
	}
	return table
}

// testCertificates returns a certificate for *.example and who signed it.
func testCertificates(t testing.TB) (*tlsconfig.Index, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tlsconfig.FromTLS("test", &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.TLS().Leaf)
	return tlsconfig.NewIndex(map[string][]*tlsconfig.Certificate{"": {pair}}), roots
}

// dial opens a TLS connection for a.example that speaks HTTP/1.1.
func (g *gateway) dial(t testing.TB) *tls.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: g.from}}
	raw, err := dialer.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	c := tls.Client(&endSeer{TCPConn: raw.(*net.TCPConn)}, &tls.Config{ServerName: "a.example", RootCAs: g.roots, NextProtos: []string{"http/1.1"}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// endSeer notes whether the socket's stream has ended: crypto/tls reports a FIN
// without a close_notify as an end in order.
type endSeer struct {
	*net.TCPConn
	ended bool
}

func (e *endSeer) Read(p []byte) (int, error) {
	n, err := e.TCPConn.Read(p)
	e.ended = e.ended || err != nil
	return n, err
}

// testLog shows the log of a test that goes wrong.
type testLog struct{ t testing.TB }

func (l *testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

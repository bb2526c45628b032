package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"
	"gatehouse/internal/store"
)

// testsAtOnce: tests of the engine wait for an authority most of the time.
const testsAtOnce = "16"

// TestMain stops what tests share, and then looks for what was left running.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", testsAtOnce); err != nil {
		panic(err)
	}
	code := m.Run()
	shared.stop()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// shared is one authority with its DNS and the listeners that it validates
// against, started by the first test that asks.
var shared world

// world is what the tests of this package share.
type world struct {
	once    sync.Once
	err     error
	dns     *dnstest.Server
	ca      *acmetest.Authority
	http    *http.Server
	ports   [2]int // of http-01 and tls-alpn-01
	tls     net.Listener
	working sync.WaitGroup

	strictOnce sync.Once
	strictErr  error
	strict     *acmetest.Authority

	mu      sync.Mutex
	answers []*challenges
}

// theWorld starts what tests share, once. Every name below hosted.example leads
// to its listeners.
func theWorld(t testing.TB) *world {
	t.Helper()
	w := &shared
	w.once.Do(func() { w.err = w.start() })
	if w.err != nil {
		t.Fatal(w.err)
	}
	return w
}

func (w *world) start() (err error) {
	if w.dns, err = dnstest.Listen("127.0.0.1:0"); err != nil {
		return err
	}
	w.dns.Zone("hosted.example")
	w.dns.Add("*.hosted.example. A 127.0.0.1")
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if w.tls, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	w.ports = [2]int{plain.Addr().(*net.TCPAddr).Port, w.tls.Addr().(*net.TCPAddr).Port}
	w.http = &http.Server{Handler: http.HandlerFunc(w.serveHTTP01), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	w.working.Go(func() { _ = w.http.Serve(plain) }) // ends by Close alone
	w.working.Go(w.serveALPN)
	w.ca, err = acmetest.Start(w.options())
	return err
}

func (w *world) options() acmetest.Options {
	return acmetest.Options{DNS: w.dns.Addr(), HTTPPort: w.ports[0], TLSPort: w.ports[1]}
}

// theStrict is a second authority: it demands bound accounts and refuses every
// second nonce.
func (w *world) theStrict(t testing.TB) *acmetest.Authority {
	t.Helper()
	w.strictOnce.Do(func() {
		o := w.options()
		o.NonceReject, o.Bindings = 50, map[string]string{"kid-1": bindingKey}
		w.strict, w.strictErr = acmetest.Start(o)
	})
	if w.strictErr != nil {
		t.Fatal(w.strictErr)
	}
	return w.strict
}

// bindingKey is the HMAC key of the account kid-1 with the strict authority.
const bindingKey = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"

func (w *world) stop() {
	if w.ca != nil {
		w.ca.Stop()
	}
	if w.strict != nil {
		w.strict.Stop()
	}
	if w.http != nil {
		_ = w.http.Close()
		_ = w.tls.Close()
		w.working.Wait()
		w.dns.Close()
	}
}

// serveHTTP01 answers as a listener of ours does.
func (w *world) serveHTTP01(res http.ResponseWriter, r *http.Request) {
	host, _, _ := net.SplitHostPort(r.Host)
	token := strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	for _, c := range w.answering() {
		if text, ok := c.http01(host, token); ok {
			_, _ = io.WriteString(res, text)
			return
		}
	}
	http.NotFound(res, r)
}

func (w *world) serveALPN() {
	config := &tls.Config{NextProtos: []string{"acme-tls/1"}, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, c := range w.answering() {
			if certificate := c.tlsALPN01(hello.ServerName); certificate != nil {
				return certificate, nil
			}
		}
		return nil, errors.New("nothing is pending")
	}}
	for {
		conn, err := w.tls.Accept()
		if err != nil {
			return
		}
		w.working.Go(func() {
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_ = tls.Server(conn, config).Handshake()
			_ = conn.Close()
		})
	}
}

func (w *world) answering() []*challenges {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}

// answer lets the listeners of the world speak for an engine.
func (w *world) answer(t testing.TB, c *challenges) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers[:len(w.answers):len(w.answers)], c)
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		kept := []*challenges{}
		for _, other := range w.answers {
			if other != c {
				kept = append(kept, other)
			}
		}
		w.answers = kept
	})
}

// authorityAt is the settings' side of an authority of tests.
func authorityAt(t testing.TB, directory string, root []byte) *authority {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatal("no root")
	}
	a := &authority{Name: "pebble", Directory: directory, Profile: "classic", roots: roots, email: "ops@host.example"}
	a.ID = accountID(a)
	return a
}

// settingsFor are settings with one authority and everything but DNS providers.
func (w *world) settingsFor(authorities ...*authority) *Settings {
	return &Settings{
		email: "ops@host.example", authorities: authorities,
		challenges: []string{"http-01", "tls-alpn-01", "dns-01"},
		dns:        dnsquery.New([]string{w.dns.Addr()}, dnsquery.Options{}),
	}
}

// startEngine returns an engine on a store, for which the world's listeners
// speak.
func (w *world) startEngine(t testing.TB, s store.Store, settings *Settings) *engine {
	t.Helper()
	e := newEngine(s, testLog(t), time.Now)
	e.configure(settings)
	w.answer(t, e.challenges)
	t.Cleanup(e.close)
	return e
}

// testLog writes to the test.
func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

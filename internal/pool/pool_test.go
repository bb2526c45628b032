package pool

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/conf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen returns a listener on the loopback and the other ends of what is
// dialled to it.
func listen(t *testing.T) (net.Listener, <-chan net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		close(conns)
		for c := range conns {
			c.Close()
		}
	})
	return l, conns
}

func member(t *testing.T, o Options, spec BackendSpec, ca []byte) *Member {
	t.Helper()
	r := new(conf.Report)
	b := CompileBackend(at(spec), func(string) ([]byte, error) { return ca, nil }, r)
	if b == nil {
		t.Fatal(r.Findings())
	}
	p := New("t/0", NewPlan([]*Backend{b}, Rules{}), o)
	t.Cleanup(p.Close)
	return p.seats()[0].Member
}

func plainMember(t *testing.T) (*Member, <-chan net.Conn) {
	l, conns := listen(t)
	return member(t, Options{}, BackendSpec{URL: at("http://" + l.Addr().String())}, nil), conns
}

func dial(t *testing.T, m *Member) *Conn {
	t.Helper()
	c, err := m.Dial(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReuseIsLastInFirstOut(t *testing.T) {
	m, _ := plainMember(t)
	a, b := dial(t, m), dial(t, m)
	a.Keep()
	b.Keep()
	if got := m.Reuse(); got != b {
		t.Errorf("Reuse() = %p, want the one kept last, %p", got, b)
	}
	if got := m.Reuse(); got != a {
		t.Errorf("Reuse() = %p, want %p", got, a)
	}
	if got := m.Reuse(); got != nil {
		t.Errorf("Reuse() = %p, want nil", got)
	}
	a.Close()
	b.Close()
}

// An idle connection that the backend closed, or on which it spoke, is gone.
func TestReuseLooksAtTheSocket(t *testing.T) {
	for name, act := range map[string]func(net.Conn){
		"closed": func(c net.Conn) { c.Close() },
		"reset":  func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() },
		"data":   func(c net.Conn) { io.WriteString(c, "HTTP/1.1 408 Request Timeout\r\n\r\n") },
	} {
		t.Run(name, func(t *testing.T) {
			m, conns := plainMember(t)
			c := dial(t, m)
			c.Keep()
			act(<-conns)
			waitUntil(t, func() bool { return !c.quiet() })
			if got := m.Reuse(); got != nil {
				t.Error("Reuse() returned it")
				got.Close()
			}
		})
	}
}

// waitUntil waits for something that the kernel does.
func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

func TestTell(t *testing.T) {
	m, _ := plainMember(t)
	now := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Second, false}, {tellEvery, true}, {tellEvery + time.Second, false}} {
		if got := m.Tell(now.Add(c.after)); got != c.want {
			t.Errorf("Tell after %v = %v, want %v", c.after, got, c.want)
		}
	}
}

func TestWritten(t *testing.T) {
	m, _ := plainMember(t)
	c := dial(t, m)
	defer c.Close()
	c.Write([]byte("hello"))
	if got := c.Written(); got != 5 {
		t.Errorf("Written() = %d, want 5", got)
	}
}

func TestSweep(t *testing.T) {
	m, conns := plainMember(t)
	a, b := dial(t, m), dial(t, m)
	a.Keep()
	b.Keep()
	first := <-conns
	m.sweep(time.Now())
	if got := len(m.idle); got != 2 {
		t.Fatalf("%d idle connections after a sweep, want 2", got)
	}
	first.Close()
	waitUntil(t, func() bool { return !a.quiet() || !b.quiet() })
	m.sweep(time.Now())
	if got := len(m.idle); got != 1 {
		t.Fatalf("%d idle connections after one was closed, want 1", got)
	}
	m.sweep(time.Now().Add(idleTime))
	if got := len(m.idle); got != 0 {
		t.Errorf("%d idle connections after %v, want 0", got, idleTime)
	}
}

func TestIdleBound(t *testing.T) {
	m := member(t, Options{}, BackendSpec{URL: at("http://127.0.0.1:1")}, nil)
	m.idle = make([]*Conn, idleConns)
	if m.push(nil) {
		t.Errorf("connection %d was kept", idleConns+1)
	}
	m.idle = nil
}

func TestClosedPoolKeepsNothing(t *testing.T) {
	m, _ := plainMember(t)
	idle, busy := dial(t, m), dial(t, m)
	idle.Keep()
	m.leave(m.owner.Load())
	if _, err := idle.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("idle connection after Close: %v, want closed", err)
	}
	busy.Keep()
	if _, err := busy.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("connection given back after Close: %v, want closed", err)
	}
}

func TestDialJudgesAddresses(t *testing.T) {
	l, _ := listen(t)
	port := l.Addr().(*net.TCPAddr).Port
	own := errors.New("a listener of ours")
	var asked []netip.AddrPort
	f := new(finder)
	f.set("localhost", "127.0.0.1", time.Minute)
	ns, stop := start(t, NamesOptions{Finder: f})
	defer stop()
	m := member(t, Options{Names: ns, Guard: func(a netip.AddrPort) error { asked = append(asked, a); return own }},
		BackendSpec{URL: at(fmt.Sprintf("http://localhost:%d", port))}, nil)
	_, err := m.Dial(5 * time.Second)
	var de *DialError
	if !errors.Is(err, own) || !errors.As(err, &de) || de.TLS {
		t.Errorf("Dial: %v, want a DialError with the guard's reason", err)
	}
	if len(asked) == 0 || int(asked[0].Port()) != port || !asked[0].Addr().IsLoopback() {
		t.Errorf("the guard was asked about %v", asked)
	}
	if err := judge("169.254.169.254:80", nil); !errors.As(err, new(*ForbiddenError)) {
		t.Errorf("judge(169.254.169.254) = %v", err)
	}
	if err := judge("[::ffff:169.254.169.254]:80", nil); !errors.As(err, new(*ForbiddenError)) {
		t.Errorf("judge of a mapped address = %v", err)
	}
}

func TestDialRefused(t *testing.T) {
	l, _ := listen(t)
	m := member(t, Options{}, BackendSpec{URL: at("http://" + l.Addr().String())}, nil)
	l.Close()
	_, err := m.Dial(5 * time.Second)
	want := `pool "t/0": dial ` + m.backend.Address() + ": connect: connection refused"
	if err == nil || err.Error() != want {
		t.Errorf("Dial: %v\nwant %s", err, want)
	}
}

func TestDialTimeoutCoversTLS(t *testing.T) {
	l, _ := listen(t) // accepts, and never says anything
	m := member(t, Options{}, BackendSpec{URL: at("https://" + l.Addr().String())}, nil)
	began := time.Now()
	_, err := m.Dial(time.Second) // in which it comes as far as the handshake
	var de *DialError
	if !errors.As(err, &de) || !de.TLS {
		t.Errorf("Dial: %v, want a DialError of the handshake", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

// authority is a CA and a server certificate it signed.
func authority(t *testing.T, names ...string) (ca []byte, server tls.Certificate) {
	t.Helper()
	caPEM, caCert, caKey := newCA(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, caCert, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	return caPEM, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// serveTLS answers each line of each connection with answer.
func serveTLS(t *testing.T, cfg *tls.Config, answer string) string {
	t.Helper()
	l, conns := listen(t)
	go func() {
		for raw := range conns {
			c := tls.Server(raw, cfg)
			go func() {
				defer raw.Close()
				buf := make([]byte, 1024)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := io.WriteString(c, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestTLSVerification(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	other, _ := authority(t, "app.internal")
	modern := &tls.Config{Certificates: []tls.Certificate{cert}}
	old := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	foreign := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"other"}}
	for _, c := range []struct {
		name, serverName string
		ca               []byte
		server           *tls.Config
		want             string
	}{
		{"right name and authority", "app.internal", ca, modern, ""},
		{"wrong name", "db.internal", ca, modern, "not db.internal"},
		{"wrong authority", "app.internal", other, modern, "unknown authority"},
		{"system roots", "app.internal", nil, modern, "unknown authority"},
		{"address without a name in the certificate", "", ca, modern, "127.0.0.1"},
		{"TLS 1.1", "app.internal", ca, old, "protocol version"},
		{"no common ALPN", "app.internal", ca, foreign, "no application protocol"},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := BackendSpec{URL: at("https://" + serveTLS(t, c.server, "x"))}
			if c.serverName != "" {
				spec.ServerName = at(c.serverName)
			}
			if c.ca != nil {
				spec.CA = at("ca.pem")
			}
			conn, err := member(t, Options{}, spec, c.ca).Dial(5 * time.Second)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
				return
			}
			var de *DialError
			if !errors.As(err, &de) || !de.TLS || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Dial: %v, want a DialError of the handshake with %q", err, c.want)
			}
		})
	}
}

// What TLS has read ahead counts as data on an idle connection, and asking for
// it breaks nothing.
func TestKeepLooksInsideTLS(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	addr := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}}, "12")
	m := member(t, Options{}, BackendSpec{URL: at("https://" + addr), ServerName: at("app.internal"), CA: at("ca.pem")}, ca)
	c := dial(t, m)
	ask := func(answer []byte) {
		t.Helper()
		if _, err := c.Write([]byte("?")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		ask(make([]byte, 2))
		c.Keep()
		if got := m.Reuse(); got != c {
			t.Fatalf("Reuse() = %v, want the connection", got)
		}
	}
	ask(make([]byte, 1)) // one more byte waits inside TLS
	c.Keep()
	if got := m.Reuse(); got != nil {
		t.Error("a connection with a byte left was kept")
		got.Close()
	}
}

// crypto/tls does not tell an end in order from a cut; a body that ends with its
// connection depends on it.
func TestEndOverTLS(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	for name, c := range map[string]struct {
		end  func(*tls.Conn)
		want error
	}{
		"close_notify": {func(c *tls.Conn) { c.Close() }, io.EOF},
		"FIN alone":    {func(c *tls.Conn) { c.NetConn().Close() }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			l, conns := listen(t)
			go func() {
				server := tls.Server(<-conns, &tls.Config{Certificates: []tls.Certificate{cert}})
				if server.Handshake() == nil {
					io.WriteString(server, "x")
				}
				c.end(server)
			}()
			conn := dial(t, member(t, Options{}, BackendSpec{URL: at("https://" + l.Addr().String()), ServerName: at("app.internal"), CA: at("ca.pem")}, ca))
			defer conn.Close()
			if _, err := conn.Read(make([]byte, 8)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 8)); err != c.want {
				t.Errorf("Read: %v, want %v", err, c.want)
			}
		})
	}
}

// Backends resume sessions, so that a fresh connection is cheap.
func TestSessionsResume(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	addr := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}}, "x")
	m := member(t, Options{}, BackendSpec{URL: at("https://" + addr), ServerName: at("app.internal"), CA: at("ca.pem")}, ca)
	for i := range 2 {
		c := dial(t, m)
		c.Write([]byte("?"))
		io.ReadFull(c, make([]byte, 1))
		if got := c.Conn.(*tls.Conn).ConnectionState().DidResume; got != (i == 1) {
			t.Errorf("connection %d resumed: %v", i, got)
		}
		c.Close()
	}
}

// TestSessionsStayWithTheirName: what one name was shown is not resumed for
// another one at the same address, which would go unverified.
func TestSessionsStayWithTheirName(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	addr := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{cert}}, "x")
	spec := BackendSpec{URL: at("https://" + addr), ServerName: at("app.internal"), CA: at("ca.pem")}
	c := dial(t, member(t, Options{}, spec, ca))
	c.Write([]byte("?"))
	io.ReadFull(c, make([]byte, 1)) // the ticket has come
	c.Close()
	spec.ServerName = at("db.internal")
	if _, err := member(t, Options{}, spec, ca).Dial(5 * time.Second); err == nil {
		t.Error("a certificate of another name is good enough")
	}
}

func TestReuseDoesNotAllocate(t *testing.T) {
	m, _ := plainMember(t)
	dial(t, m).Keep()
	if n := testing.AllocsPerRun(100, func() { m.Reuse().Keep() }); n != 0 {
		t.Errorf("Reuse and Keep allocate %v times", n)
	}
}

func TestCloseWrite(t *testing.T) {
	m, conns := plainMember(t)
	c := dial(t, m)
	defer c.Close()
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	far := <-conns
	defer far.Close()
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the backend reads %v, want EOF", err)
	}
}

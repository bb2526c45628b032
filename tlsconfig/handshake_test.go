package tlsconfig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// door is a server of these tests: some hosts behind one set of policies.
type door struct {
	policies *Policies
	tenants  map[string]string  // by name
	profiles map[string]Profile // by name; Intermediate if missing
	index    *Index
	clock    time.Time
}

// newDoor serves the names of c, all of tenant "one".
func newDoor(certificates ...*Certificate) *door {
	d := &door{
		tenants:  map[string]string{},
		profiles: map[string]Profile{},
		index:    NewIndex(map[string][]*Certificate{"": certificates}),
		clock:    noon,
	}
	for _, c := range certificates {
		for _, name := range c.Names() {
			d.tenants[name] = "one"
		}
	}
	d.policies = NewPolicies(PolicyOptions{
		Tenant: func(sni string) (string, bool) {
			id, ok := d.tenants[strings.ToLower(sni)]
			return id, ok
		},
		Certificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := strings.ToLower(hello.ServerName)
			return d.index.Find(d.tenants[name], name, hello), nil
		},
		Now: func() time.Time { return d.clock },
	})
	return d
}

// config is what a listener hands to crypto/tls.
func (d *door) config() *tls.Config {
	return &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name := strings.ToLower(hello.ServerName)
		if _, ok := d.tenants[name]; !ok {
			return d.policies.Refusing(), nil
		}
		return d.policies.Config(d.profiles[name]), nil
	}}
}

// oneSession offers its session to every server, as an attacker would.
type oneSession struct {
	mu      sync.Mutex
	session *tls.ClientSessionState
}

func (s *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session, s.session != nil
}

func (s *oneSession) Put(_ string, session *tls.ClientSessionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = session
}

// client returns a configuration that trusts the test root. It does not hold a
// session against the name it was made for: the server must.
func (d *door) client(sni string, version uint16, cache tls.ClientSessionCache) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(root().cert)
	return &tls.Config{
		ServerName: sni, RootCAs: roots, ClientSessionCache: cache, InsecureSkipVerify: true,
		MinVersion: version, MaxVersion: version, NextProtos: []string{"h2", "http/1.1"},
		Time: func() time.Time { return d.clock },
	}
}

// recorder keeps what is written through it.
type recorder struct {
	net.Conn
	written bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written.Write(b)
	return r.Conn.Write(b)
}

// result is what both sides saw of a handshake.
type result struct {
	client, server       tls.ConnectionState
	clientErr, serverErr error
	answer               []byte // all bytes of the server
}

// handshake runs both sides and has the client read the ticket.
func handshake(server, client *tls.Config) result {
	near, far := net.Pipe()
	sent := &recorder{Conn: far}
	var r result
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		conn := tls.Server(sent, server)
		if r.serverErr = conn.Handshake(); r.serverErr != nil {
			return
		}
		r.server = conn.ConnectionState()
		conn.Write([]byte{'.'})
	}()
	conn := tls.Client(near, client)
	if r.clientErr = conn.Handshake(); r.clientErr == nil {
		_, r.clientErr = conn.Read(make([]byte, 1))
		r.client = conn.ConnectionState()
	}
	near.Close()
	<-done
	r.answer = sent.written.Bytes()
	return r
}

// shake demands that the handshake succeeds.
func (d *door) shake(t *testing.T, client *tls.Config) result {
	t.Helper()
	r := handshake(d.config(), client)
	if r.clientErr != nil || r.serverErr != nil {
		t.Fatalf("handshake with %q: client: %v, server: %v", client.ServerName, r.clientErr, r.serverErr)
	}
	return r
}

// bothVersions runs a test on TLS 1.2 and 1.3.
func bothVersions(t *testing.T, test func(t *testing.T, version uint16)) {
	t.Helper()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) { test(t, version) })
	}
}

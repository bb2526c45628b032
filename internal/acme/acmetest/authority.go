package acmetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// startTimeMax bounds the wait for Pebble to answer; it takes half a second on
// an idle machine.
const startTimeMax = 30 * time.Second

// Options say what the authority is like.
type Options struct {
	DNS         string                   // host:port of the server that validation asks
	HTTPPort    int                      // where http-01 is looked for, on any host
	TLSPort     int                      // where tls-alpn-01 is looked for
	NonceReject int                      // percentage of good nonces that are refused
	AuthzReuse  int                      // percentage of authorizations that are used again
	Bindings    map[string]string        // key identifier: base64url HMAC key; not nil: accounts must be bound
	Profiles    map[string]time.Duration // name: lifetime; nil: "classic" of 90 days and "shortlived" of 6
	OCSP        string                   // URL of the responder that certificates name; none if empty
	Blocked     []string                 // names that are refused
}

// Authority is a running Pebble.
type Authority struct {
	Directory string // URL
	Root      []byte // PEM: who vouches for its server
	roots     *x509.CertPool
	manage    string
	folder    string
	process   *exec.Cmd
	ended     chan struct{} // closed when the process has ended
	log       *tail
}

// Start runs an authority until Stop. It returns when the directory answers.
func Start(o Options) (*Authority, error) {
	binary, err := Binary()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pebble-")
	if err != nil {
		return nil, err
	}
	a := &Authority{folder: folder, ended: make(chan struct{}), log: &tail{}}
	if err := a.start(binary, o); err != nil {
		a.Stop()
		return nil, err
	}
	return a, nil
}

// Binary returns the path of Pebble, or an error that says how to install it.
func Binary() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(folder) == folder {
			return "", errors.New("no go.mod above the working directory")
		}
		folder = filepath.Dir(folder)
	}
	binary := filepath.Join(folder, "bin", "tools", "pebble")
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("%s is missing; install it: test/install test", binary)
	}
	return binary, nil
}

func (a *Authority) start(binary string, o Options) error {
	root, err := mint(a.folder)
	if err != nil {
		return err
	}
	a.Root = root
	a.roots = x509.NewCertPool()
	a.roots.AppendCertsFromPEM(root)
	listen, manage, err := twoPorts()
	if err != nil {
		return err
	}
	a.Directory, a.manage = "https://"+listen+"/dir", "https://"+manage
	config := filepath.Join(a.folder, "config.json")
	if err := os.WriteFile(config, o.config(a.folder, listen, manage), 0o600); err != nil {
		return err
	}
	a.process = exec.Command(binary, "-config", config, "-dnsserver", o.DNS)
	a.process.Env = append(os.Environ(),
		"PEBBLE_VA_NOSLEEP=1",
		"PEBBLE_WFE_NONCEREJECT="+strconv.Itoa(o.NonceReject),
		"PEBBLE_AUTHZREUSE="+strconv.Itoa(o.AuthzReuse),
	)
	a.process.Stdout, a.process.Stderr = a.log, a.log
	// A test that is killed takes its authority along.
	a.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := a.process.Start(); err != nil {
		a.process = nil
		return err
	}
	go func() {
		_ = a.process.Wait()
		close(a.ended)
	}()
	return a.ready()
}

// config is Pebble's file.
func (o Options) config(folder, listen, manage string) []byte {
	profiles := o.Profiles
	if profiles == nil {
		profiles = map[string]time.Duration{"classic": 90 * 24 * time.Hour, "shortlived": 6 * 24 * time.Hour}
	}
	type profile struct {
		Description    string `json:"description"`
		ValidityPeriod int    `json:"validityPeriod"`
	}
	named := map[string]profile{}
	for name, lifetime := range profiles {
		named[name] = profile{"profile " + name, int(lifetime / time.Second)}
	}
	text, _ := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage,
		"certificate": filepath.Join(folder, "cert.pem"), "privateKey": filepath.Join(folder, "key.pem"),
		"httpPort": o.HTTPPort, "tlsPort": o.TLSPort,
		"ocspResponderURL":               o.OCSP,
		"externalAccountBindingRequired": o.Bindings != nil,
		"externalAccountMACKeys":         o.Bindings,
		"domainBlocklist":                o.Blocked,
		"keyAlgorithm":                   "ecdsa",
		"profiles":                       named,
	}})
	return text
}

// twoPorts returns two addresses nobody listens on at the moment.
func twoPorts() (first, second string, err error) {
	a, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer a.Close()
	b, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer b.Close()
	return a.Addr().String(), b.Addr().String(), nil
}

// ready waits until the directory answers.
func (a *Authority) ready() error {
	h := a.client()
	defer h.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeMax)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := get(ctx, h, a.Directory); err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-a.ended:
			return fmt.Errorf("pebble ended before it answered: %s", a.log)
		case <-ctx.Done():
			return fmt.Errorf("pebble did not answer within %s: %s", startTimeMax, a.log)
		}
	}
}

// client trusts the authority's server.
func (a *Authority) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}}}
}

func get(ctx context.Context, h *http.Client, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := h.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, res.Status)
	}
	return io.ReadAll(res.Body)
}

// Issuers returns the roots and intermediates of the certificates that the
// authority issues, for clients that are to trust them.
func (a *Authority) Issuers() (*x509.CertPool, error) {
	h := a.client()
	defer h.CloseIdleConnections()
	pool := x509.NewCertPool()
	for _, path := range []string{"/roots/0", "/intermediates/0"} {
		text, err := get(context.Background(), h, a.manage+path)
		if err != nil {
			return nil, err
		}
		pool.AppendCertsFromPEM(text)
	}
	return pool, nil
}

// Revoked reports whether the authority has revoked the certificate of a serial
// number.
func (a *Authority) Revoked(serial string) (bool, error) {
	h := a.client()
	defer h.CloseIdleConnections()
	text, err := get(context.Background(), h, a.manage+"/cert-status-by-serial/"+serial)
	return bytes.Contains(text, []byte(`"Revoked"`)), err
}

// Log returns the last lines that the authority wrote.
func (a *Authority) Log() string { return a.log.String() }

// Stop ends the authority, and waits for its end.
func (a *Authority) Stop() {
	if a.process != nil {
		_ = a.process.Process.Kill() // it may have ended
		<-a.ended
	}
	_ = os.RemoveAll(a.folder)
}

// tailBytesMax is how much of what the authority wrote is kept for an error.
const tailBytesMax = 64 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailBytesMax; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sampleHouse answers each function with something that can be recognised.
func sampleHouse(ready error) House {
	return House{
		Ready:  func() error { return ready },
		Status: func() Status { return Status{Version: "v-test", Generation: 7, Ready: ready == nil} },
		Explain: func(q ExplainQuery) (Explanation, error) {
			if q.URL == "" {
				return Explanation{}, errors.New("url is empty; write it like https://host/path")
			}
			return Explanation{Verdict: "refuse ip_not_allowed", Tenant: q.From}, nil
		},
		Reload: func(_ context.Context, force bool, actor string) (ReloadResult, error) {
			return ReloadResult{Applied: force, Actor: actor, Generation: 8}, nil
		},
		RootPEM: func() []byte { return []byte("-----BEGIN CERTIFICATE-----\n") },
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "gatehouse_up 1\n") }),
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// serving runs serve until the test ends and fails it if serve does.
func serving(t *testing.T, serve func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func listenLoopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSocketCommands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatehouse.sock")
	l, err := ListenSocket(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	serving(t, func(ctx context.Context) error { return New(sampleHouse(nil), quiet()).ServeSocket(ctx, l) })
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("Stat(socket) = %v, %v, want mode 0600", info.Mode(), err)
	}

	c, ctx := NewClient(path), t.Context()
	if got, err := c.Status(ctx); err != nil || got.Generation != 7 {
		t.Errorf("Status() = %+v, %v, want generation 7", got, err)
	}
	if got, err := c.Explain(ctx, ExplainQuery{URL: "https://a.example/", From: "192.0.2.1"}); err != nil || got.Tenant != "192.0.2.1" {
		t.Errorf("Explain() = %+v, %v, want the query's address back", got, err)
	}
	if _, err := c.Explain(ctx, ExplainQuery{}); err == nil || !strings.Contains(err.Error(), "url is empty") {
		t.Errorf("Explain(no URL) = %v, want the house's words", err)
	}
	wantActor := caller(os.Getuid()).String()
	for _, force := range []bool{false, true} {
		got, err := c.Reload(ctx, force)
		if err != nil || got.Applied != force || got.Actor != wantActor {
			t.Errorf("Reload(%v) = %+v, %v, want applied %v by %s", force, got, err, force, wantActor)
		}
	}
	if got, err := c.RootPEM(ctx); err != nil || !strings.HasPrefix(string(got), "-----BEGIN") {
		t.Errorf("RootPEM() = %q, %v", got, err)
	}
}

func TestSocketServesProfilesAndRefusesGetReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := ListenSocket(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	serving(t, func(ctx context.Context) error { return New(sampleHouse(nil), quiet()).ServeSocket(ctx, l) })
	c := NewClient(path)
	for target, want := range map[string]int{"/debug/pprof/cmdline": 200, "/v1/reload": 405, "/metrics": 200, "/nothing": 404} {
		response, err := c.http.Get("http://localhost" + target)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("GET %s = %d, want %d", target, response.StatusCode, want)
		}
	}
}

func TestListenSocketReplacesOnlySockets(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gatehouse.sock")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	l, err := ListenSocket(path, quiet())
	if err != nil {
		t.Fatalf("ListenSocket(stale socket) = %v, want it replaced", err)
	}
	_ = l.Close()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenSocket(file, quiet()); err == nil {
		t.Error("ListenSocket(a file) = nil, want an error")
	}
	if text, _ := os.ReadFile(file); string(text) != "precious" {
		t.Errorf("the file holds %q afterwards, want it untouched", text)
	}
}

func TestClientSaysThatNothingRuns(t *testing.T) {
	_, err := NewClient(filepath.Join(t.TempDir(), "none")).Status(t.Context())
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("Status() = %v, want ErrNotRunning", err)
	}
}

func TestHealth(t *testing.T) {
	for _, test := range []struct {
		name   string
		ready  error
		admits func(netip.Addr) bool
		method string
		path   string
		want   int
	}{
		{"alive", errors.New("draining"), nil, "GET", "/livez", 200},
		{"ready", nil, nil, "GET", "/readyz", 200},
		{"not ready", errors.New("draining"), nil, "GET", "/readyz", 503},
		{"listed", nil, netip.Addr.IsLoopback, "GET", "/readyz", 200},
		{"no metrics here", nil, nil, "GET", "/metrics", 404},
		{"read-only", nil, nil, "POST", "/readyz", 405},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listenLoopback(t)
			serving(t, func(ctx context.Context) error {
				return New(sampleHouse(test.ready), quiet()).ServeHealth(ctx, l, test.admits)
			})
			got := ask(t, l.Addr().String(), test.method, test.path, http.Header{"Host": {"any.example"}})
			if got != test.want {
				t.Errorf("%s %s = %d, want %d", test.method, test.path, got, test.want)
			}
		})
	}
}

func TestAdminGuard(t *testing.T) {
	l := listenLoopback(t)
	guard := Guard{Host: "gw.example", Token: "s3cret", Admits: netip.Addr.IsLoopback}
	serving(t, func(ctx context.Context) error { return New(sampleHouse(nil), quiet()).ServeAdmin(ctx, l, guard) })
	good := "Bearer s3cret"
	for _, test := range []struct {
		name, method, path string
		header             http.Header
		want               int
	}{
		{"metrics", "GET", "/metrics", http.Header{"Authorization": {good}}, 200},
		{"status", "GET", "/v1/status", http.Header{"Authorization": {good}}, 200},
		{"own name", "GET", "/metrics", http.Header{"Authorization": {good}, "Host": {"gw.example:9180"}}, 200},
		{"no token", "GET", "/metrics", nil, 401},
		{"wrong token", "GET", "/metrics", http.Header{"Authorization": {"Bearer s3cres"}}, 401},
		{"no scheme", "GET", "/metrics", http.Header{"Authorization": {"s3cret"}}, 401},
		{"rebound name", "GET", "/metrics", http.Header{"Authorization": {good}, "Host": {"evil.example"}}, 421},
		{"other site's page", "GET", "/metrics", http.Header{"Authorization": {good}, "Sec-Fetch-Site": {"cross-site"}}, 403},
		{"old browser's page", "GET", "/metrics", http.Header{"Authorization": {good}, "Origin": {"https://evil.example"}}, 403},
		{"post", "POST", "/v1/status", http.Header{"Authorization": {good}}, 405},
		{"no reload", "GET", "/v1/reload", http.Header{"Authorization": {good}}, 404},
		{"no profiles", "GET", "/debug/pprof/", http.Header{"Authorization": {good}}, 404},
		{"no root", "GET", "/v1/ca", http.Header{"Authorization": {good}}, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ask(t, l.Addr().String(), test.method, test.path, test.header); got != test.want {
				t.Errorf("%s %s = %d, want %d", test.method, test.path, got, test.want)
			}
		})
	}
}

// Whoever may not ask is closed before it takes one of the few connections:
// else any stranger could keep a load balancer from asking, which then takes a
// healthy gateway out of rotation.
func TestStrangersTakeNoConnection(t *testing.T) {
	l := listenLoopback(t)
	var admitted atomic.Bool
	serving(t, func(ctx context.Context) error {
		return New(sampleHouse(nil), quiet()).ServeHealth(ctx, l, func(netip.Addr) bool { return admitted.Load() })
	})
	for i := range connectionsMax + 1 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("stranger %d: read %d bytes, %v, want a closed connection", i, n, err)
		}
	}
	admitted.Store(true)
	if got := ask(t, l.Addr().String(), "GET", "/readyz", nil); got != 200 {
		t.Errorf("GET /readyz = %d, want 200", got)
	}
}

func ask(t *testing.T, address, method, path string, header http.Header) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		request.Host = host
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestHostIsOurs(t *testing.T) {
	for field, want := range map[string]bool{
		"127.0.0.1:9180": true, "127.0.0.1": true, "localhost": true, "localhost:9180": true, "[::1]:9180": true, "[::1]": true,
		"gw.example": true, "gw.example:1": true, "evil.example": false, "evil.example:9180": false, "": false,
		"127.0.0.1.evil.example": false,
	} {
		if got := hostIsOurs(field, "gw.example"); got != want {
			t.Errorf("hostIsOurs(%q) = %v, want %v", field, got, want)
		}
	}
	if hostIsOurs("", "") {
		t.Error("hostIsOurs of nothing = true, want false")
	}
}

package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/store"
)

// freePort finds a port below those that the kernel hands out, so that no client
// takes it meanwhile. It stays this test's own until it ends: whoever holds the
// abstract socket named after a port may use it.
func freePort(t *testing.T) int {
	t.Helper()
	const lowest, highest = 20000, 32000
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		claim, err := net.Listen("unix", fmt.Sprintf("@gatehouse-e2e-port-%d", port))
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = claim.Close() })
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// running is a gateway that runs in this process.
type running struct {
	t      *testing.T
	client *admin.Client
	health string
	admin  string
	https  int
	said   transcript
	cancel context.CancelFunc
	ended  chan error
}

// start runs the tree in dir, whose main file it writes, until stop.
func start(t *testing.T, dir, more string) *running {
	t.Helper()
	return startWith(t, setUp{dir: dir, more: more, ports: [2]int{freePort(t), freePort(t)}})
}

// setUp is what a gateway runs on.
type setUp struct {
	dir, more string // the main file is written into dir, with more at its end
	ports     [2]int // http and https
	below     func(store.Store) store.Store
}

// startWith runs a tree until stop.
func startWith(t *testing.T, up setUp) *running {
	t.Helper()
	dir := up.dir
	r := &running{
		t: t, ended: make(chan error, 1), https: up.ports[1],
		health: fmt.Sprintf("127.0.0.1:%d", freePort(t)), admin: fmt.Sprintf("127.0.0.1:%d", freePort(t)),
	}
	put(t, dir, "gatehouse.yaml", fmt.Sprintf(`version: 1
listen:
  http: ["127.0.0.1:%d"]
  https: ["127.0.0.1:%d"]
  health: {address: %q, allow: [127.0.0.1]}
  admin: {address: %q, token: {file: token}}
state: state
log: {access: off}
include: [tenants/*.yaml]
%s`, up.ports[0], up.ports[1], r.health, r.admin, up.more))
	put(t, dir, "token", "a long random word\n")
	config := filepath.Join(dir, "gatehouse.yaml")
	socket, err := SocketPath(config)
	must(t, err)
	r.client = admin.NewClient(socket)
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	ready := make(chan struct{})
	go func() {
		r.ended <- Run(ctx, Options{
			Config: config, Version: "v-test", Log: slog.New(slog.NewTextHandler(&r.said, nil)), Stdout: io.Discard,
			Ready: func([]byte) error { close(ready); return nil }, below: up.below,
		})
	}()
	select {
	case <-ready:
	case err := <-r.ended:
		t.Fatalf("Run = %v", err)
	case <-time.After(patience):
		t.Fatal("it is not ready")
	}
	return r
}

// stop ends it and wants that it ended well.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("Run = %v", err)
		}
	case <-time.After(patience):
		r.t.Fatal("it does not end")
	}
}

// get returns status and body.
func get(t *testing.T, url, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	must(t, err)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, string(body)
}

// eventually asks again until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

// TestRun: a gateway in this process, from its start to its end, as load
// balancers, dashboards and the service manager see it.
func TestRun(t *testing.T) {
	manager := serviceManager(t)
	dir := tree(t, "tenants/acme.yaml", acmeText)
	r := start(t, dir, "shutdown: {announce: 2s}\n")
	manager.hears("READY=1")
	status, err := r.client.Status(t.Context())
	if err != nil || !status.Ready || status.Version != "v-test" || status.Keys != "not protected" || len(status.Listeners) != 2 {
		t.Errorf("status = %+v, %v", status, err)
	}
	for _, test := range []struct {
		url, token string
		want       int
		word       string
	}{
		{"http://" + r.health + "/readyz", "", 200, "ready"},
		{"http://" + r.health + "/metrics", "", 404, ""},
		{"http://" + r.admin + "/metrics", "", 401, ""},
		{"http://" + r.admin + "/metrics", "a long random word", 200, "gatehouse_"},
		{"http://" + r.admin + "/v1/status", "a long random word", 200, "acme.example"},
	} {
		if got, body := get(t, test.url, test.token); got != test.want || !strings.Contains(body, test.word) {
			t.Errorf("GET %s = %d %q, want %d with %q", test.url, got, body, test.want, test.word)
		}
	}
	e, err := r.client.Explain(t.Context(), admin.ExplainQuery{URL: "https://acme.example/", From: "203.0.113.5"})
	if err != nil || e.Verdict != "forward" {
		t.Errorf("explain = %+v, %v", e, err)
	}

	must(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	manager.hears("RELOADING=1\nMONOTONIC_USEC=")
	manager.hears("READY=1")
	eventually(t, "the reload by signal is shown", func() bool {
		status, err := r.client.Status(t.Context())
		must(t, err)
		return status.LastReload != nil && status.LastReload.Actor == "SIGHUP"
	})

	r.cancel()
	manager.hears("STOPPING=1")
	if got, body := get(t, "http://"+r.health+"/readyz", ""); got != 503 || !strings.Contains(body, "going down") {
		t.Errorf("GET /readyz after SIGTERM = %d %q", got, body)
	}
	r.stop()
	if _, err := r.client.Status(t.Context()); !errors.Is(err, admin.ErrNotRunning) {
		t.Errorf("status after the end = %v", err)
	}
}

// TestHealthList: who is not on the list of a door is turned away, by the list
// of the tree in use.
func TestHealthList(t *testing.T) {
	dir := tree(t, "tenants/acme.yaml", acmeText)
	r := start(t, dir, "")
	defer r.stop()
	config := filepath.Join(dir, "gatehouse.yaml")
	text, err := os.ReadFile(config)
	must(t, err)
	put(t, dir, "gatehouse.yaml", strings.Replace(string(text), "allow: [127.0.0.1]", "allow: [192.0.2.1]", 1))
	if result, err := r.client.Reload(t.Context(), false); err != nil || !result.Applied {
		t.Errorf("reload = %+v, %v", result, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if answer, err := client.Get("http://" + r.health + "/readyz"); err == nil {
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Error("who is no longer on the list is answered")
		}
	}
}

// TestBlockHoldsOnDoors: who is blocked, in the files or by command, is closed on
// the doors of TCP as well, whatever their lists say, and can be let in again.
func TestBlockHoldsOnDoors(t *testing.T) {
	r := start(t, tree(t, "tenants/acme.yaml", acmeText), "block: [127.0.0.3]\n")
	defer r.stop()
	answers := func(from, url string) bool {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: dialer.DialContext}, Timeout: patience}
		answer, err := client.Get(url)
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return true
	}
	order := func(o admin.LeverOrder) {
		t.Helper()
		_, err := r.client.Pull(t.Context(), o)
		must(t, err)
	}
	health, metrics := "http://"+r.health+"/readyz", "http://"+r.admin+"/metrics"
	if answers("127.0.0.3", metrics) || !answers("127.0.0.2", metrics) || !answers("127.0.0.1", health) {
		t.Error("the block of the file does not hold, or others are refused")
	}
	for _, of := range []string{"127.0.0.1", "127.0.0.2"} {
		order(admin.LeverOrder{Lever: admin.Block, Of: of, For: "1h", Why: "a test"})
	}
	if answers("127.0.0.1", health) || answers("127.0.0.2", metrics) {
		t.Error("who is blocked by command is answered")
	}
	order(admin.LeverOrder{Lever: admin.Unblock, Of: "127.0.0.1"})
	if !answers("127.0.0.1", health) {
		t.Error("who is blocked no longer is not answered")
	}
}

// TestSIGTERMDuringTheStart: a context that has ended already is a start that
// drains at once, not an error.
func TestSIGTERMDuringTheStart(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, Options{Config: filepath.Join(dir, "gatehouse.yaml"), Log: quiet(), Stdout: io.Discard}); err != nil {
		t.Errorf("Run = %v", err)
	}
}

// TestReadyThatFails: whoever embeds the gateway and cannot go on takes it down.
func TestReadyThatFails(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText)
	cause := errors.New("the paper is out")
	err := Run(t.Context(), Options{
		Config: filepath.Join(dir, "gatehouse.yaml"), Log: quiet(), Stdout: io.Discard,
		Ready: func(root []byte) error {
			if len(root) == 0 {
				t.Error("Ready gets no root")
			}
			return cause
		},
	})
	if !errors.Is(err, cause) {
		t.Errorf("Run = %v", err)
	}
}

// TestLongStatePath: a state folder whose socket the kernel could not name.
func TestLongStatePath(t *testing.T) {
	state := strings.Repeat("long-", 25)
	dir := tree(t, "gatehouse.yaml", strings.Replace(mainText, "state: state", "state: "+state, 1))
	err := Run(t.Context(), Options{Config: filepath.Join(dir, "gatehouse.yaml"), Log: quiet(), Stdout: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "choose a shorter one") {
		t.Errorf("Run = %v", err)
	}
}

// manager is what systemd is to a service: a socket that hears how it is.
type manager struct {
	t      *testing.T
	socket *net.UnixConn
}

func serviceManager(t *testing.T) *manager {
	t.Helper()
	address := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"}
	socket, err := net.ListenUnixgram("unixgram", address)
	must(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", address.Name)
	return &manager{t, socket}
}

// hears wants the next message to begin like this.
func (m *manager) hears(want string) {
	m.t.Helper()
	must(m.t, m.socket.SetReadDeadline(time.Now().Add(patience)))
	message := make([]byte, 1000)
	n, err := m.socket.Read(message)
	must(m.t, err)
	if !strings.HasPrefix(string(message[:n]), want) {
		m.t.Errorf("the service manager hears %q, want %q", message[:n], want)
	}
}

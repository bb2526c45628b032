package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPortInUse: one line that names the address, and status 1.
func TestPortInUse(t *testing.T) {
	w := newWorld(t)
	address := fmt.Sprintf("127.0.0.1:%d", w.https)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.launch(t).refused(address, "in use")
}

// TestKeyMismatch: a pair of the main file that does not match, or cannot be read, is one line and status 1.
func TestKeyMismatch(t *testing.T) {
	w := newWorld(t)
	w.useFile(t, "acme.example")
	_, other := issue(t, nil, nil)
	w.write(t, "tls/key.pem", pemOf("PRIVATE KEY", pkcs8(t, other)))
	w.launch(t).refused("gatehouse.yaml", "tls/cert.pem", "match")

	if err := os.Remove(filepath.Join(w.dir, "tls/key.pem")); err != nil {
		t.Fatal(err)
	}
	w.launch(t).refused("gatehouse.yaml", "tls/key.pem")
}

// TestTenantKeyMismatch: the same in a tenant's file costs that tenant alone.
func TestTenantKeyMismatch(t *testing.T) {
	w := newWorld(t)
	leaf, _ := issue(t, nil, nil, "acme.example", "*.acme.example")
	_, other := issue(t, nil, nil)
	w.write(t, "tenants/acme.pem", pemOf("CERTIFICATE", leaf.Raw))
	w.write(t, "secrets/acme/key.pem", pemOf("PRIVATE KEY", pkcs8(t, other)))
	w.write(t, "tenants/acme.yaml", acmeText(w.acme.url())+"tls: {certificates: {cert: acme.pem, key: {file: ../secrets/acme/key.pem}}}\n")
	w.start(t)
	get(t, w.client(t, clientOfGlobex), w.url("globex.example", "/"), 200)
	if got := w.gatehouse(t, "status"); !strings.Contains(got.stdout, "quarantined") || !strings.Contains(got.stdout, "tenants/acme.yaml") {
		t.Errorf("status does not name the quarantined file:\n%s", got.stdout)
	}
}

// TestSecondProcess: two processes never share one state.
func TestSecondProcess(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	second := *w
	ports := freePorts(t, 5)
	second.https, second.proxied, second.http, second.health, second.admin = ports[0], ports[1], ports[2], ports[3], ports[4]
	second.writeMain(t)
	second.launch(t).refused("state")
	get(t, w.client(t, clientOfAcme), w.url("acme.example", "/"), 200)
}

// TestKill: kill -9 at any point leaves a state from which the next process serves the same names with the same CA.
func TestKill(t *testing.T) {
	w := newWorld(t)
	p := w.start(t)
	root := w.gatehouse(t, "certs", "ca").stdout
	for range 3 {
		get(t, w.client(t, clientOfAcme), w.url("acme.example", "/"), 200)
		p.kill()
		p = w.start(t)
	}
	get(t, w.client(t, clientOfAcme), w.url("acme.example", "/"), 200)
	if again := w.gatehouse(t, "certs", "ca").stdout; again != root {
		t.Errorf("the internal CA is another one after kill -9:\n%s\nbefore:\n%s", again, root)
	}
}

// TestCommands: what a script sees of the commands that need no process.
func TestCommands(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"check"}, 0, ""},
		{[]string{"status"}, 1, "no gatehouse is running"},
		{[]string{"explain", "https://acme.example/", "--from", clientOfAcme}, 0, "forward"},
		{[]string{"explain", "https://acme.example/", "--from", stranger}, 0, "ip_not_allowed"},
		{[]string{"explain", "https://acme.example/", "--from", stranger, "--assert", "forward"}, 1, "ip_not_allowed"},
		{[]string{"explain"}, 2, ""},
		{[]string{"no-such-command"}, 2, ""},
	} {
		got := w.gatehouse(t, tt.args...)
		if got.code != tt.code || !strings.Contains(got.stdout+got.stderr, tt.want) {
			t.Errorf("gatehouse %v = %d, want %d with %q:\n%s%s", tt.args, got.code, tt.code, tt.want, got.stdout, got.stderr)
		}
	}
}

// TestExampleTree: the tree in configs/ is good as it stands.
func TestExampleTree(t *testing.T) {
	got := command(t, "", binary, "check", "-c", "../../configs/gatehouse.yaml")
	if got.code != 0 {
		t.Errorf("check of configs/ = %d:\n%s%s", got.code, got.stdout, got.stderr)
	}
}

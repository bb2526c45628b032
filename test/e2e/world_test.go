package e2e

import (
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who calls; see the package comment.
const (
	browser        = "127.0.0.1"
	clientOfAcme   = "127.0.0.2"
	clientOfGlobex = "127.0.0.3"
	auditor        = "127.0.0.4"
	stranger       = "127.0.0.5"
	balancer       = "127.0.0.9"
)

// A world is a table with its folder, its ports and its backends.
type world struct {
	dir                                 string
	https, proxied, http, health, admin int
	acme, globex                        *nginx
	certificates                        string // value of tls.certificates in the main file
	defaults                            string // settings of defaults, as YAML
	shutdown                            string // value of shutdown
	roots                               *x509.CertPool
	env                                 []string // more of it for the gateway's process
	files                               int      // how many it may open; 0 for as many as we
	stdout, stderr                      *os.File // of that process; nil: what it says is kept for the test
}

const mainFile = `version: 1
listen:
  http: ["127.0.0.1:%d"]
  https:
    - "127.0.0.1:%d"
    - {address: "127.0.0.1:%d", client_ip: {proxy_protocol: [127.0.0.9]}}
  public_port: %d
  health: {address: "127.0.0.1:%d", allow: [127.0.0.1]}
  admin: "127.0.0.1:%d"
tls: {certificates: %s}
state: state
shutdown: %s
include: [tenants/*.yaml]
defaults: %s
`

const acmeFile = `hosts: [acme.example, "*.acme.example"]
access: {allow: [127.0.0.1, 127.0.0.2, 127.0.0.4, 203.0.113.0/28]}
backends: [%s]
`

const globexFile = `hosts: [globex.example]
access: {allow: [127.0.0.3, 127.0.0.4]}
backends: [%s]
`

// newWorld makes the table of two tenants and starts their backends.
func newWorld(t *testing.T) *world {
	t.Helper()
	p := freePorts(t, 5)
	w := &world{
		dir:   t.TempDir(),
		https: p[0], proxied: p[1], http: p[2], health: p[3], admin: p[4],
		certificates: "{internal: true}",
		shutdown:     "{drain: 5s}",
		defaults:     "{timeouts: {connect: 2s}}",
		acme:         startNginx(t, "acme"),
		globex:       startNginx(t, "globex"),
	}
	w.writeMain(t)
	w.write(t, "tenants/acme.yaml", acmeText(w.acme.url()))
	w.write(t, "tenants/globex.yaml", globexText(w.globex.url()))
	return w
}

func acmeText(backends ...string) string   { return fmt.Sprintf(acmeFile, quoted(backends)) }
func globexText(backends ...string) string { return fmt.Sprintf(globexFile, quoted(backends)) }

func quoted(list []string) string { return `"` + strings.Join(list, `", "`) + `"` }

func (w *world) writeMain(t *testing.T) {
	t.Helper()
	w.write(t, "gatehouse.yaml", fmt.Sprintf(mainFile, w.http, w.https, w.proxied, w.https, w.health, w.admin, w.certificates, w.shutdown, w.defaults))
}

// write replaces a file of the table at once, as editors do: by renaming a whole new one over it.
func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config() string { return filepath.Join(w.dir, "gatehouse.yaml") }

// gatehouse runs one command on this world.
func (w *world) gatehouse(t *testing.T, args ...string) outcome {
	t.Helper()
	return command(t, "", binary, append(args, "-c", w.config())...)
}

// reload applies the files and insists on it.
func (w *world) reload(t *testing.T) {
	t.Helper()
	if got := w.gatehouse(t, "reload"); got.code != 0 {
		t.Fatalf("reload = %d, want 0\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// url is an address of the direct https listener.
func (w *world) url(host, path string) string {
	return fmt.Sprintf("https://%s:%d%s", host, w.https, path)
}

// authority is the Host that a client of the direct listener sends.
func (w *world) authority(host string) string { return fmt.Sprintf("%s:%d", host, w.https) }

// trust has the root of the internal CA, or of the test's own, ready for clients.
func (w *world) trust(t *testing.T) *x509.CertPool {
	t.Helper()
	if w.roots != nil {
		return w.roots
	}
	pem, err := os.ReadFile(w.rootFile(t))
	if err != nil {
		t.Fatal(err)
	}
	w.roots = x509.NewCertPool()
	if !w.roots.AppendCertsFromPEM(pem) {
		t.Fatalf("certs ca printed no certificate: %q", pem)
	}
	return w.roots
}

// rootFile is the root in a file, for programs.
func (w *world) rootFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(w.dir, "root.pem")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	got := w.gatehouse(t, "certs", "ca")
	if got.code != 0 {
		t.Fatalf("certs ca = %d\n%s", got.code, got.stderr)
	}
	if err := os.WriteFile(path, []byte(got.stdout), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePorts finds ports below those that the kernel hands out to connections, so that no client takes them meanwhile.
// Each stays this test's own until it ends, also against other runs on this machine: whoever holds the abstract socket
// named after a port may use it.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	const lowest, highest = 20000, 32000
	var ports []int
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		claim, err := net.Listen("unix", fmt.Sprintf("@gatehouse-e2e-port-%d", port))
		if err != nil {
			continue
		}
		t.Cleanup(func() { claim.Close() })
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		if ports = append(ports, port); len(ports) == n {
			return ports
		}
	}
	t.Fatalf("found only %d of %d free ports", len(ports), n)
	return nil
}

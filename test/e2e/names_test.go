package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"
)

// placesOf serves the address that a request came in at, on one port of several.
func placesOf(t *testing.T, addresses ...string) (port int) {
	t.Helper()
	for _, a := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(a, strconv.Itoa(port)))
		if err != nil {
			t.Fatal(err)
		}
		port = l.Addr().(*net.TCPAddr).Port
		server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(a))
		})}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = server.Serve(l)
		}()
		t.Cleanup(func() {
			_ = server.Close()
			<-done
		})
	}
	return port
}

// TestBackendByName: requests go to every address of a name and follow it when it
// moves; when DNS knows it no more, or talks nonsense, they go where it led last.
func TestBackendByName(t *testing.T) {
	dns := dnstest.Start(t)
	dns.Zone("internal")
	dns.TTL(0)
	dns.Add("app.internal. A 127.0.0.21", "app.internal. A 127.0.0.22", "www.internal. CNAME app.internal.")
	port := placesOf(t, "127.0.0.21", "127.0.0.22", "127.0.0.23")
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", acmeText(fmt.Sprintf("http://www.internal:%d", port)))
	main, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "gatehouse.yaml", string(main)+fmt.Sprintf("resolvers: [%q]\n", dns.Addr()))
	w.start(t)
	c := w.client(t, clientOfAcme)
	seen := func() string {
		count := make(map[string]int)
		for range 20 {
			count[get(t, c, w.url("acme.example", "/"), http.StatusOK)]++
		}
		return fmt.Sprint(count)
	}
	eventually(t, time.Minute, "requests go to both", func() bool { return seen() == "map[127.0.0.21:10 127.0.0.22:10]" })
	dns.Remove("app.internal")
	dns.Add("app.internal. A 127.0.0.22", "app.internal. A 127.0.0.23")
	moved := "map[127.0.0.22:10 127.0.0.23:10]"
	eventually(t, time.Minute, "requests follow the name", func() bool { return seen() == moved })
	for _, fault := range []dnstest.Fault{dnstest.None, dnstest.Garbage, dnstest.ServFail, dnstest.TruncateAll} {
		dns.Fault("internal", fault)
		if fault == dnstest.None {
			dns.Remove("app.internal")
		}
		asked := len(dns.Queries())
		eventually(t, time.Minute, "the name is looked up", func() bool { return len(dns.Queries()) > asked+1 })
		if got := seen(); got != moved {
			t.Errorf("DNS is out of order (%d): requests went to %s, want %s", fault, got, moved)
		}
	}
	w.tellsOfName(t)
}

// tellsOfName wants status to say what is known of the name.
func (w *world) tellsOfName(t *testing.T) {
	t.Helper()
	var status struct {
		Names []struct {
			Name      string
			Addresses []string
			Confirmed time.Time
			Fault     string
		}
	}
	got := w.gatehouse(t, "status", "--json")
	if err := json.Unmarshal([]byte(got.stdout), &status); err != nil {
		t.Fatalf("status: %v\n%s", err, got.stderr)
	}
	if len(status.Names) != 1 || fmt.Sprint(status.Names[0].Addresses) != "[127.0.0.22 127.0.0.23]" || status.Names[0].Fault == "" || status.Names[0].Confirmed.IsZero() {
		t.Errorf("status says %+v", status.Names)
	}
	if text := w.gatehouse(t, "status").stdout; !strings.Contains(text, "www.internal  127.0.0.22, 127.0.0.23") {
		t.Errorf("status does not show the name:\n%s", text)
	}
}

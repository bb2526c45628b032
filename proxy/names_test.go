package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/dnsquery"
)

// dnsOf answers where hosts are, once it is told.
type dnsOf struct {
	ready chan struct{}
	mu    sync.Mutex
	hosts map[string]string // addresses, separated by blanks; "" is SERVFAIL
}

func (d *dnsOf) Host(ctx context.Context, name string) (dnsquery.HostAnswer, error) {
	select {
	case <-d.ready:
	case <-ctx.Done():
		return dnsquery.HostAnswer{}, &dnsquery.Error{Kind: dnsquery.Timeout, Name: name, Type: "A"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	answer := dnsquery.HostAnswer{TTL: time.Minute}
	for _, word := range strings.Fields(d.hosts[name]) {
		answer.V4.Addresses = append(answer.V4.Addresses, netip.MustParseAddr(word))
	}
	if len(answer.V4.Addresses) == 0 {
		return dnsquery.HostAnswer{}, &dnsquery.Error{Kind: dnsquery.ServerFailure, Name: name, Type: "A"}
	}
	return answer, nil
}

// listenOn serves a handler on one port of several loopback addresses.
func listenOn(t *testing.T, handler http.HandlerFunc, addresses ...string) (port string) {
	t.Helper()
	port = "0"
	for _, a := range addresses {
		l, err := net.Listen("tcp", net.JoinHostPort(a, port))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
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

// The first request waits for DNS, then every address has its share; one that is
// dead costs no answer, one that no backend may have is never reached, and a name
// that leads nowhere is told in the log.
func TestBackendsByName(t *testing.T) {
	for _, plane := range []DataPlane{OwnPlane, StandardPlane} {
		t.Run(map[DataPlane]string{OwnPlane: "own", StandardPlane: "http2"}[plane], func(t *testing.T) {
			port := listenOn(t, func(w http.ResponseWriter, r *http.Request) {
				at := r.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
				_, _ = w.Write([]byte(at))
			}, "127.0.0.1", "127.0.0.7")
			dns := &dnsOf{ready: make(chan struct{}), hosts: map[string]string{
				"app.internal": "127.0.0.1 127.0.0.7 127.0.0.8 169.254.1.1", "rebound.internal": "169.254.169.254",
			}}
			w := newWorldOf(t, &world{finder: dns, tenants: map[string]string{"acme": fmt.Sprintf(`
hosts: [a.example]
access: {allow: [127.0.0.1]}
backends: ["http://app.internal:%s"]
routes:
  /gone/: {backends: ["http://gone.internal:%[1]s"]}
  /rebound/: {backends: ["http://rebound.internal:%[1]s"]}
`, port)}}, plane)
			c := w.client("direct", "127.0.0.1", plane == StandardPlane)
			bodyOf := func(path string) string {
				status, body := w.get(c, "https://a.example"+path)
				if status != http.StatusOK {
					return fmt.Sprint(status)
				}
				return body
			}
			answer := make(chan string, 1)
			go func() { answer <- bodyOf("/") }()
			select {
			case got := <-answer:
				t.Fatalf("before DNS has answered: %s", got)
			case <-time.After(50 * time.Millisecond):
			}
			close(dns.ready)
			if got := <-answer; !strings.HasSuffix(got, ":"+port) {
				t.Errorf("the first request: %s", got)
			}
			seen := make(map[string]int)
			for range 60 {
				seen[bodyOf("/")]++
			}
			if len(seen) != 2 || seen["127.0.0.1:"+port] < 15 || seen["127.0.0.7:"+port] < 15 {
				t.Errorf("requests went to %v, want both that listen and no failure", seen)
			}
			for path, want := range map[string]string{"/gone/": "SERVFAIL", "/rebound/": "link-local"} {
				if got := bodyOf(path); !strings.HasPrefix(got, "502") {
					t.Errorf("%s: %s, want 502", path, got)
				}
				if !strings.Contains(w.events.String(), want) {
					t.Errorf("%s: the log does not say %s:\n%s", path, want, w.events)
				}
			}
			eventually(t, "the access log says which address it was", func() bool {
				return strings.Contains(w.log.String(), `"backend":"app.internal:`+port+`","address":"127.0.0.7"`)
			})
			if want := "address=\"169.254.1.1 is "; !strings.Contains(w.events.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, w.events)
			}
			if want := "dial app.internal:" + port + " at 127.0.0.8: "; !strings.Contains(w.events.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, w.events)
			}
		})
	}
}

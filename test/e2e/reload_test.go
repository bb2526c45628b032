package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// reloads under load; each changes both tenants.
const reloads = 20

// TestReloadsUnderLoad: while tables change, no request fails, on kept connections and on new ones, and a WebSocket
// stays open.
func TestReloadsUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.write(t, "tenants/globex.yaml", globexText(echo(t, "globex").URL))
	w.start(t)
	s := w.webSocket(t, "globex.example", func() (*tls.Conn, error) { return w.dial(t, clientOfGlobex, "globex.example") })

	l := newLoad(t)
	l.run(w.client(t, clientOfAcme), w.url("acme.example", "/"), "acme")
	l.run(w.client(t, clientOfAcme, "h2"), w.url("shop.acme.example", "/"), "acme")
	l.run(w.client(t, clientOfGlobex), w.url("globex.example", "/"), "globex")
	fresh := w.client(t, auditor)
	fresh.Transport.(*http.Transport).DisableKeepAlives = true
	l.run(fresh, w.url("acme.example", "/new"), "acme")

	acme, globex := acmeText(w.acme.url()), globexText(echo(t, "globex").URL)
	check := w.client(t, clientOfAcme)
	for i := range reloads {
		mark := fmt.Sprintf("headers: {response: {set: {X-Generation: \"%d\"}}}\n", i)
		w.write(t, "tenants/acme.yaml", acme+mark)
		w.write(t, "tenants/globex.yaml", globex+mark)
		w.reload(t)
		answer, err := check.Get(w.url("acme.example", "/"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if got := answer.Header.Get("X-Generation"); got != fmt.Sprint(i) {
			t.Fatalf("after reload %d the answer is of generation %q", i, got)
		}
		s.says(t, mark)
	}
	l.end(t)
}

// A load asks without a pause until it is told to end.
type load struct {
	over     chan struct{}
	clients  sync.WaitGroup
	asked    atomic.Int64
	mu       sync.Mutex
	failures []string
}

func newLoad(t *testing.T) *load {
	l := &load{over: make(chan struct{})}
	t.Cleanup(func() {
		select {
		case <-l.over:
		default:
			close(l.over)
		}
		l.clients.Wait()
	})
	return l
}

// run adds a client that asks one URL and wants one backend's answer.
func (l *load) run(c *http.Client, url, backend string) {
	l.clients.Go(func() {
		for {
			select {
			case <-l.over:
				return
			default:
			}
			l.asked.Add(1)
			if err := ask(c, url, backend); err != nil {
				l.mu.Lock()
				l.failures = append(l.failures, err.Error())
				l.mu.Unlock()
			}
		}
	})
}

func ask(c *http.Client, url, backend string) error {
	answer, err := c.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("GET %s: reading the answer: %w", url, err)
	}
	if answer.StatusCode != 200 || answer.Header.Get("X-Backend") != backend {
		return fmt.Errorf("GET %s = %d from %q: %s", url, answer.StatusCode, answer.Header.Get("X-Backend"), body)
	}
	return nil
}

// end stops the clients and wants that none of them failed.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.over)
	l.clients.Wait()
	if len(l.failures) > 0 {
		t.Errorf("%d of %d requests failed, first: %s", len(l.failures), l.asked.Load(), l.failures[0])
	}
	if l.asked.Load() < reloads {
		t.Errorf("only %d requests were made, too few to tell anything", l.asked.Load())
	}
}

// TestReloadBySignalAndByFile: a changed file is noticed, and so is SIGHUP.
func TestReloadBySignalAndByFile(t *testing.T) {
	w := newWorld(t)
	p := w.start(t)
	c := w.client(t, clientOfAcme)
	for i, notice := range []func(){
		func() {},
		func() { _ = p.cmd.Process.Signal(syscall.SIGHUP) },
	} {
		w.write(t, "tenants/acme.yaml", acmeText(w.acme.url())+fmt.Sprintf("headers: {response: {set: {X-Generation: \"%d\"}}}\n", i))
		notice()
		eventually(t, answerTime, "the changed file is applied", func() bool {
			answer, err := c.Get(w.url("acme.example", "/"))
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			return answer.Header.Get("X-Generation") == fmt.Sprint(i)
		})
	}
}

// TestRevocation: an address that is taken from the list loses its open WebSocket and gets no answer from the
// backend any more; others notice nothing.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	backend := echo(t, "acme")
	w.write(t, "tenants/acme.yaml", acmeText(backend.URL))
	w.start(t)
	revoked := func() (*tls.Conn, error) { return w.dialThroughBalancer(t, "203.0.113.7", "acme.example") }
	cut := w.webSocket(t, "acme.example", revoked)
	kept := w.webSocket(t, "acme.example", func() (*tls.Conn, error) { return w.dial(t, clientOfAcme, "acme.example") })
	keptBehind := w.webSocket(t, "acme.example", func() (*tls.Conn, error) { return w.dialThroughBalancer(t, "203.0.113.14", "acme.example") })
	for _, s := range []socket{cut, kept, keptBehind} {
		s.says(t, "before")
	}

	w.write(t, "tenants/acme.yaml", strings.Replace(acmeText(backend.URL), "203.0.113.0/28", "203.0.113.8/29", 1))
	w.reload(t)
	cut.diesWithin(t, 20*time.Second) // proxy's tests hold it to a second
	kept.says(t, "after")
	keptBehind.says(t, "after")

	c, err := revoked()
	if err != nil {
		t.Fatal(err)
	}
	if answer, _, err := exchange(c, plainGet("/", "acme.example")); err != nil || answer.StatusCode != 403 {
		t.Errorf("a new connection of the revoked address: %v, %v, want 403", answer, err)
	}
}

// TestQuarantine: a typo in a tenant's file costs that tenant its change and nothing else, and a restart does not
// make it worse.
func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	p := w.start(t)
	acme, globex := w.client(t, clientOfAcme), w.client(t, clientOfGlobex)
	get(t, acme, w.url("acme.example", "/"), 200)

	w.write(t, "tenants/acme.yaml", strings.Replace(acmeText(w.acme.url()), "access:", "acces:", 1))
	got := w.gatehouse(t, "reload")
	if got.code != 1 {
		t.Errorf("reload with a typo = %d, want 1", got.code)
	}
	for _, word := range []string{"tenants/acme.yaml:2:1", `"acces"`, `"access"`} {
		if !strings.Contains(got.stdout+got.stderr, word) {
			t.Errorf("reload says nothing of %s:\n%s%s", word, got.stdout, got.stderr)
		}
	}
	w.quarantined(t, acme, globex)

	p.stop()
	w.start(t)
	w.quarantined(t, acme, globex)

	w.write(t, "tenants/acme.yaml", acmeText(w.acme.url()))
	w.reload(t)
	if got := w.gatehouse(t, "status"); got.code != 0 || strings.Contains(got.stdout, "quarantined: acme") {
		t.Errorf("status after the mend = %d:\n%s", got.code, got.stdout)
	}
}

// quarantined wants both tenants served, and the file named by status.
func (w *world) quarantined(t *testing.T, acme, globex *http.Client) {
	t.Helper()
	get(t, acme, w.url("acme.example", "/"), 200)
	get(t, globex, w.url("globex.example", "/"), 200)
	if !w.ready() {
		t.Error("one quarantined tenant made /readyz fail")
	}
	got := w.gatehouse(t, "status")
	if got.code != 0 {
		t.Errorf("status = %d, want 0: one quarantined tenant does not make the gateway unready", got.code)
	}
	for _, word := range []string{"quarantined", "tenants/acme.yaml"} {
		if !strings.Contains(got.stdout, word) {
			t.Errorf("status lacks %q:\n%s", word, got.stdout)
		}
	}
}

// TestMainFileTypo: a wrong main file changes nothing.
func TestMainFileTypo(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	c := w.client(t, clientOfAcme)
	get(t, c, w.url("acme.example", "/"), 200)
	main, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "gatehouse.yaml", strings.Replace(string(main), "shutdown:", "shutdwon:", 1))
	got := w.gatehouse(t, "reload")
	if got.code != 1 || !strings.Contains(got.stdout+got.stderr, "gatehouse.yaml:12:1") {
		t.Errorf("reload of a wrong main file = %d, want 1 with its position:\n%s%s", got.code, got.stdout, got.stderr)
	}
	get(t, c, w.url("acme.example", "/"), 200)
}

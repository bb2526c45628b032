package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestDrainBackend: an operator takes a backend out under load and stops it once the command returns. No request
// fails, a slow one is waited for, and the order outlives the gateway.
func TestDrainBackend(t *testing.T) {
	w := newWorld(t)
	begun, proceed := make(chan struct{}), make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow", func(rw http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-proceed
		_, _ = io.WriteString(rw, "whole")
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "old") })
	old := httptest.NewServer(mux)
	t.Cleanup(old.Close)
	// While it is alone the slow request must go to it.
	w.write(t, "tenants/acme.yaml", acmeText(old.URL))
	p := w.start(t)
	slow := make(chan string, 1)
	c := w.client(t, clientOfAcme)
	go func() {
		answer, err := c.Get(w.url("acme.example", "/slow"))
		if err != nil {
			slow <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		slow <- string(text)
	}()
	<-begun
	w.write(t, "tenants/acme.yaml", acmeText(old.URL, w.acme.url()))
	w.reload(t)
	load := w.ask(t, 4)

	backend := "acme/" + strings.TrimPrefix(old.URL, "http://")
	var said, failed strings.Builder
	drain := exec.Command(binary, "drain", backend, "--wait", "--why", "a new kernel", "-c", w.config())
	drain.Stdout, drain.Stderr = &said, &failed
	if err := drain.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- drain.Wait() }()
	eventually(t, 10*time.Second, "the order is in force", func() bool {
		return strings.Contains(w.gatehouse(t, "drain").stdout, backend)
	})
	select {
	case err := <-ended:
		t.Errorf("the command did not wait: %v\n%s", err, said.String())
	case <-time.After(2 * time.Second): // it looks twice a second
	}
	close(proceed)
	if got := <-slow; got != "whole" {
		t.Errorf("the request in progress = %q, want all of it", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("drain --wait: %v\n%s", err, failed.String())
	}
	if got := said.String(); !strings.Contains(got, "drained, in force") || !strings.HasSuffix(got, "nothing is in progress\n") {
		t.Errorf("the command says %q", got)
	}
	old.CloseClientConnections()
	old.Close()
	load.after(t, 300)
	load.end(t)

	p.kill()
	w.start(t)
	if got := w.gatehouse(t, "drain"); !strings.Contains(got.stdout, backend) {
		t.Errorf("after a restart: %q", got.stdout)
	}
	if got := w.gatehouse(t, "drain", backend, "--undo"); got.code != 0 {
		t.Errorf("--undo = %d\n%s", got.code, got.stderr)
	}
}

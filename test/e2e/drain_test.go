package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
)

// TestDrain: SIGTERM makes the gateway unready at once, finishes the answer that is under way, and ends it with 0.
func TestDrain(t *testing.T) {
	t.Parallel() // most of it is waiting
	w := newWorld(t)
	w.shutdown = "{announce: 8s, drain: 10s}" // long enough for all that is asked meanwhile
	w.writeMain(t)
	begun, proceed := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "begun,")
		w.(http.Flusher).Flush()
		close(begun)
		<-proceed
		_, _ = io.WriteString(w, "ended")
	}))
	t.Cleanup(slow.Close)
	w.write(t, "tenants/acme.yaml", acmeText(slow.URL))
	p := w.start(t)

	body := make(chan string, 1)
	c := w.client(t, clientOfAcme)
	go func() {
		answer, err := c.Get(w.url("acme.example", "/"))
		if err != nil {
			body <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		body <- string(text)
	}()
	<-begun

	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	eventually(t, answerTime, "/readyz fails", func() bool { return !w.ready() })
	// While it announces its end it still takes new connections, and asks that they go elsewhere afterwards.
	answer, err := w.client(t, clientOfGlobex).Get(w.url("globex.example", "/"))
	if err != nil || answer.StatusCode != 200 || !answer.Close {
		t.Errorf("while it announces: %v, %v, want 200 with Connection: close", answer, err)
	} else {
		answer.Body.Close()
	}
	close(proceed)
	if got := <-body; got != "begun,ended" {
		t.Errorf("the answer under way = %q, want all of it", got)
	}
	if code := p.wait(stopTime); code != 0 {
		t.Errorf("gatehouse run = %d, want 0", code)
	}
}

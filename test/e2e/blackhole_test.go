package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBlackhole: where a backend's machine is gone, packets to it vanish and nothing is refused. New connections are
// 502 when connect is over, requests on a rested connection 504 when first_byte is, answers are cut when idle is; and
// all of it is over when packets arrive again.
func TestBlackhole(t *testing.T) {
	w := newWorld(t)
	far := newElsewhere(t)
	backend := far.newWorker()
	w.write(t, "tenants/acme.yaml", acmeText(backend.url())+shortTimes)
	w.start(t)
	beside := w.pour(t, clientOfGlobex, "globex.example", 50)
	m, c := &meetings{world: w}, w.client(t, clientOfAcme)
	gone := backendFault{"fine", 502, "backend_connect", false, connectTime, inTime}
	silent := backendFault{"fine", 504, "backend_timeout", false, aTime, inTime}
	for _, method := range []string{"GET", "POST"} {
		m.meet(t, c, "GET", fine) // its connection rests then
		far.swallow()
		m.meet(t, c, method, silent)
		m.meet(t, c, method, gone)
		far.spit()
		m.meet(t, c, method, fine)
	}
	w.swallowAnswer(t, far, c)
	m.meet(t, c, "GET", fine)
	m.areLogged(t)
	beside.end(t)
	beside.untouched(t)
	for what, n := range backend.arrived() {
		if n > 1 {
			t.Errorf("%s arrived %d times", what, n)
		}
	}
}

// swallowAnswer has the backend vanish while its answer is read.
func (w *world) swallowAnswer(t *testing.T, far *elsewhere, c *http.Client) {
	t.Helper()
	answer, err := c.Get(w.url("acme.example", "/trickle/cut"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body := bufio.NewReader(answer.Body)
	if _, err := body.ReadByte(); err != nil {
		t.Fatal(err)
	}
	far.swallow()
	defer far.spit()
	if _, err := io.Copy(io.Discard, body); err == nil {
		t.Error("an answer whose backend has vanished ends as if it were whole")
	}
	m := &meetings{world: w, met: map[string]backendFault{"/trickle/cut": {"trickle", 200, "backend_timeout", true, 0, inTime}}}
	m.areLogged(t)
}

// TestFaultsOfHandshakes: backends that fail before they have had a request.
func TestFaultsOfHandshakes(t *testing.T) {
	w := newWorld(t)
	resets := serveTCP(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	})
	secure := func(url string) string { return "https" + strings.TrimPrefix(url, "http") }
	m := &meetings{world: w}
	beside := (*steady)(nil)
	for i, test := range []struct {
		url  string
		want backendFault
	}{
		{resets, backendFault{"fine", 502, "backend_protocol", false, 0, atOnce}},
		{secure(resets), backendFault{"fine", 502, "backend_tls", false, 0, atOnce}},
		{secure(newWorker(t, 0).url()), backendFault{"fine", 502, "backend_tls", false, 0, atOnce}},
		{secure(silent(t).url()), backendFault{"fine", 502, "backend_tls", false, connectTime, inTime}},
	} {
		w.write(t, "tenants/acme.yaml", acmeText(test.url)+shortTimes)
		if i == 0 {
			w.start(t)
			beside = w.pour(t, clientOfGlobex, "globex.example", 50)
		} else {
			w.reload(t)
		}
		c := w.client(t, clientOfAcme)
		m.meet(t, c, "GET", test.want)
		m.meet(t, c, "POST", test.want)
	}
	m.areLogged(t)
	beside.end(t)
	beside.untouched(t)
}

// TestVanishAtRate: one of two backends vanishes with its machine under 500 requests a second. No GET fails, not even
// those that were on their way to it, and no POST arrives twice.
func TestVanishAtRate(t *testing.T) {
	w := newWorld(t)
	far := newElsewhere(t)
	here, there := newWorker(t, 40*time.Millisecond), far.newWorker()
	there.kill()
	there.takes = 40 * time.Millisecond
	there.start()
	w.write(t, "tenants/acme.yaml", acmeText(here.url(), there.url())+"timeouts: {first_byte: 10s}\n")
	w.start(t)
	l := w.pour(t, clientOfAcme, "acme.example", 500)
	l.after(2 * time.Second)
	far.swallow()
	l.after(8 * time.Second)
	l.end(t)
	l.noGetFailed(t)
	if took := l.quantile(1); took > 5*time.Second && !underRace {
		t.Errorf("a GET took %v, want it to go on to the other backend in about two seconds", took)
	}
	all := l.arrivedOnce(t, here, there)
	t.Logf("%d requests arrived %d times", len(l.gets)+l.posts, all)
}

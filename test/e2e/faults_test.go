package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shortTimes are those of the tests of faults: what runs into one of them takes that long and at most two looks of the
// sweep more, half a second apart. What meets no fault is done before on a busy machine too.
const shortTimes = "timeouts: {connect: 2s, first_byte: 3s, idle: 3s}\n"

// What a fault may take: at once is what a busy machine takes for one request; inTime is one of shortTimes, and two
// seconds for the sweep and the machine.
const (
	atOnce      = 800 * time.Millisecond
	connectTime = 2 * time.Second
	aTime       = 3 * time.Second
	inTime      = aTime + 2*time.Second
)

// Requests that meet no fault, and those that find nobody.
var (
	fine    = backendFault{"fine", 200, "", false, 0, atOnce}
	refused = backendFault{"fine", 502, "backend_connect", false, 0, atOnce}
)

// backendFault is a way to fail, and what becomes of a request that meets it.
type backendFault struct {
	path        string // the worker's fault
	status      int
	reason      string // in the access log
	cut         bool   // the answer breaks off, visibly
	least, most time.Duration
}

// TestFaults: whatever a backend does wrong gives the answer, the reason and the time that are written down, over both
// protocols; no request with an effect arrives twice, nothing that the backend said too much reaches anybody, and the
// tenant beside it notices nothing.
func TestFaults(t *testing.T) {
	w := newWorld(t)
	backend := newWorker(t, 0)
	w.write(t, "tenants/acme.yaml", acmeText(backend.url())+"ejection: off\n"+shortTimes)
	w.start(t)
	beside := w.pour(t, clientOfGlobex, "globex.example", 50)
	m := &meetings{world: w}
	var running sync.WaitGroup
	for _, protocol := range []string{"http/1.1", "h2"} {
		c := w.client(t, clientOfAcme, protocol)
		for _, method := range []string{"GET", "POST"} {
			for _, f := range slowFaults {
				running.Go(func() { m.meet(t, c, method, f) })
			}
			running.Go(func() {
				for _, f := range backendFaults {
					m.meet(t, c, method, f)
				}
			})
		}
	}
	running.Wait()
	m.areLogged(t)
	beside.end(t)
	beside.untouched(t)
	for what, n := range backend.arrived() {
		if n > 1 && strings.HasPrefix(what, "POST ") {
			t.Errorf("%s arrived %d times", what, n)
		}
	}
}

var backendFaults = []backendFault{
	fine,
	{"reset", 502, "backend_protocol", false, 0, atOnce},
	{"close", 502, "backend_protocol", false, 0, atOnce},
	{"half-head", 502, "backend_protocol", false, 0, atOnce},
	{"garbage", 502, "backend_protocol", false, 0, atOnce},
	{"two-lengths", 502, "backend_protocol", false, 0, atOnce},
	{"no-length", 502, "backend_protocol", false, 0, atOnce},
	{"drip", 200, "", false, 0, atOnce},
	{"short", 200, "backend_protocol", true, 0, atOnce},
	{"short-reset", 200, "backend_protocol", true, 0, atOnce},
	{"short-chunk", 200, "backend_protocol", true, 0, atOnce},
	{"long", 200, "", false, 0, atOnce},
	fine, // and nothing of what the last one said
}

// slowFaults are those that run into a time, all at once.
var slowFaults = []backendFault{
	{"silent", 504, "backend_timeout", false, aTime, inTime},
	{"drag", 504, "backend_timeout", false, aTime, inTime},
	{"stall", 200, "backend_timeout", true, aTime, inTime},
	{"stall-chunk", 200, "backend_timeout", true, aTime, inTime},
}

// meetings are requests that have met a fault, which the access log must tell about.
type meetings struct {
	world *world

	mu  sync.Mutex
	met map[string]backendFault // by path
}

// meet sends a request into a fault.
func (m *meetings) meet(t *testing.T, c *http.Client, method string, f backendFault) {
	t.Helper()
	path := m.path(f)
	request, err := http.NewRequestWithContext(t.Context(), method, m.world.url("acme.example", path), nil)
	if err != nil {
		t.Error(err)
		return
	}
	if method == http.MethodPost {
		request.Body, request.ContentLength = io.NopCloser(strings.NewReader("once")), 4
	}
	began := time.Now()
	answer, err := c.Do(request)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	took := time.Since(began)
	if answer.StatusCode != f.status || (err != nil) != f.cut {
		t.Errorf("%s %s over %s = %d, body %q, %v; want %d, cut %t", method, path, answer.Proto, answer.StatusCode, body, err, f.status, f.cut)
	}
	if f.status == 200 && !f.cut && string(body) != "worker" {
		t.Errorf("%s %s over %s: the body is %q", method, path, answer.Proto, body)
	}
	if took < f.least || took > f.most && !underRace {
		t.Errorf("%s %s over %s took %v, want %v to %v", method, path, answer.Proto, took, f.least, f.most)
	}
}

// path is one that was not asked for yet.
func (m *meetings) path(f backendFault) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.met == nil {
		m.met = make(map[string]backendFault)
	}
	path := fmt.Sprintf("/%s/%d", f.path, len(m.met))
	m.met[path] = f
	return path
}

// areLogged wants the access log to say of each what became of it.
func (m *meetings) areLogged(t *testing.T) {
	t.Helper()
	var lines map[string]logLine
	eventually(t, answerTime, "the access log has all requests", func() bool {
		lines = m.world.accessLog(t)
		for path := range m.met {
			if _, is := lines[path]; !is {
				return false
			}
		}
		return true
	})
	for path, f := range m.met {
		if line := lines[path]; line.Status != f.status || line.Reason != f.reason || line.Tenant != "acme" {
			t.Errorf("%s is logged as %+v, want status %d, reason %q", path, line, f.status, f.reason)
		}
	}
}

// logLine is what the access log says of a request.
type logLine struct {
	Tenant, Path, Reason string
	Status               int
}

// accessLog is what it says so far, by path.
func (w *world) accessLog(t *testing.T) map[string]logLine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]logLine)
	for text := range strings.Lines(string(text)) {
		var line logLine
		if json.Unmarshal([]byte(text), &line) == nil { // the last one may be on its way
			lines[line.Path] = line
		}
	}
	return lines
}

// untouched wants no request to have failed, and none in ten to have waited as long as a fault takes. Under the race
// detector the machine alone makes them wait.
func (l *steady) untouched(t *testing.T) {
	t.Helper()
	l.noGetFailed(t)
	if len(l.failed) > 0 {
		t.Errorf("of %d POSTs of the other tenant failed %v", l.posts, l.failed)
	}
	if took := l.quantile(0.9); took > connectTime/2 && !underRace {
		t.Errorf("the other tenant's requests took %v, one in ten of them", took)
	}
}

// TestRefusedAndRestarted: while a backend's process is gone it is 502 at once, and the first request after it has come
// back is answered: a backend that is alone is never left aside.
func TestRefusedAndRestarted(t *testing.T) {
	w := newWorld(t)
	backend := newWorker(t, 0)
	w.write(t, "tenants/acme.yaml", acmeText(backend.url())+shortTimes)
	w.start(t)
	c := w.client(t, clientOfAcme)
	m := &meetings{world: w}
	for range 3 {
		m.meet(t, c, "GET", fine)
		backend.kill()
		for range 8 { // more than it takes to eject one of several
			m.meet(t, c, "GET", refused)
			m.meet(t, c, "POST", refused)
		}
		backend.start()
		m.meet(t, c, "POST", fine)
	}
	m.areLogged(t)
}

// TestAllDownAndBack: with all backends gone requests are refused at once, by ejection or by checks, and as soon as one
// is back they are answered, although nobody has said that it is.
func TestAllDownAndBack(t *testing.T) {
	t.Run("requests", func(t *testing.T) {
		w := newWorld(t)
		one, other := newWorker(t, 0), newWorker(t, 0)
		w.write(t, "tenants/acme.yaml", acmeText(one.url(), other.url())+shortTimes)
		w.start(t)
		beside := w.pour(t, clientOfGlobex, "globex.example", 50)
		c, m := w.client(t, clientOfAcme), &meetings{world: w}
		one.kill()
		other.kill()
		for range 12 {
			m.meet(t, c, "GET", refused)
		}
		for _, back := range []*worker{one, other} { // one of them is ejected, and asked all the same
			back.start()
			for range 4 {
				m.meet(t, c, "GET", fine)
			}
			back.kill()
		}
		m.areLogged(t)
		beside.end(t)
		beside.untouched(t)
	})
	t.Run("checks", func(t *testing.T) {
		w := newWorld(t)
		one, other := newWorker(t, 0), newWorker(t, 0)
		w.write(t, "tenants/acme.yaml", acmeText(one.url(), other.url())+shortTimes+"health: {path: /fine, every: 1s, timeout: 500ms, fall: 2, rise: 1}\n")
		w.start(t)
		c, m := w.client(t, clientOfAcme), &meetings{world: w}
		one.kill()
		other.kill()
		eventually(t, 20*time.Second, "both are down", func() bool {
			return w.metric(t, `gatehouse_pool_backends{route="/",state="down",tenant="acme"}`) == 2
		})
		m.meet(t, c, "GET", backendFault{"fine", 503, "no_healthy_backend", false, 0, atOnce})
		other.start()
		eventually(t, 20*time.Second, "one is up", func() bool {
			return w.metric(t, `gatehouse_pool_backends{route="/",state="up",tenant="acme"}`) == 1
		})
		m.meet(t, c, "GET", fine)
		m.areLogged(t)
	})
}

// TestFlappingProcess: a backend that dies and comes back several times a second costs no GET as long as there is
// another one, and no POST arrives twice.
func TestFlappingProcess(t *testing.T) {
	w := newWorld(t)
	steadily, flapping := newWorker(t, 5*time.Millisecond), newWorker(t, 5*time.Millisecond)
	w.write(t, "tenants/acme.yaml", acmeText(steadily.url(), flapping.url())+"ejection: {failures: 5, first: 1s}\n")
	w.start(t)
	beside := w.pour(t, clientOfGlobex, "globex.example", 50)
	l := w.pour(t, clientOfAcme, "acme.example", 200)
	for range 10 {
		l.after(250 * time.Millisecond)
		flapping.kill()
		l.after(150 * time.Millisecond)
		flapping.start()
	}
	l.end(t)
	beside.end(t)
	l.noGetFailed(t)
	l.arrivedOnce(t, steadily, flapping)
	beside.untouched(t)
}

// TestRetriesUsedUp: backends that fail everything get no more of it than the budget says on top of what is asked, and
// operators are told.
func TestRetriesUsedUp(t *testing.T) {
	w := newWorld(t)
	one, other := newWorker(t, 0), newWorker(t, 0)
	w.write(t, "tenants/acme.yaml", acmeText(one.url(), other.url())+"ejection: off\nretries: {budget: 10%, min: off}\n")
	p := w.start(t)
	m, c := &meetings{world: w}, w.client(t, clientOfAcme)
	const asked = 30 // which any machine asks within the ten seconds that count
	for range asked {
		m.meet(t, c, "GET", backendFault{"close", 502, "backend_protocol", false, 0, atOnce})
	}
	status := w.gatehouse(t, "status").stdout
	if want := "retries: 10% of requests; now 3 in the last 10s, of 3"; !strings.Contains(status, want) {
		t.Errorf("status does not say %q:\n%s", want, status)
	}
	if n := strings.Count(p.log.String(), "a tenant's retries are used up"); n != 1 {
		t.Errorf("the log says %d times that retries are used up, want once", n)
	}
	if n := w.metric(t, `gatehouse_retries_refused_total{tenant="acme"}`); n != asked-asked/10 {
		t.Errorf("%v are counted as refused, want %d", n, asked-asked/10)
	}
	all := 0
	for _, backend := range []*worker{one, other} {
		for _, n := range backend.arrived() {
			all += n
		}
	}
	if all != asked+asked/10 {
		t.Errorf("%d requests arrived %d times, want %d", asked, all, asked+asked/10)
	}
	m.areLogged(t)
}

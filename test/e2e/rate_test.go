package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A steady load is clients that ask at a rate, whatever becomes of what they have asked: who waits for an answer keeps
// nobody else from asking. Of five requests one is a POST that exists once.
type steady struct {
	stop    chan struct{}
	running sync.WaitGroup
	began   time.Time
	next    atomic.Int64 // request

	mu        sync.Mutex
	gets      []time.Duration // how long each took since its turn had come
	postsOK   []string        // paths that were answered with 200
	posts     int
	failedGet []string
	failed    map[string]int // POSTs, by what became of them
}

// steadyClients is how many of them there are: at 500 a second, each may take a quarter of a second.
const steadyClients = 128

// pour has clients from an address ask a host at a rate until end is called.
func (w *world) pour(t *testing.T, from, host string, perSecond int) *steady {
	t.Helper()
	l := &steady{stop: make(chan struct{}), failed: make(map[string]int), began: time.Now()}
	clients := []*http.Client{w.client(t, from), w.client(t, from, "h2")}
	for _, c := range clients {
		c.Transport.(*http.Transport).MaxIdleConnsPerHost = steadyClients
	}
	for i := range steadyClients {
		c := clients[i%len(clients)]
		l.running.Go(func() {
			for {
				n := l.next.Add(1) - 1
				turn := l.began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
				select {
				case <-l.stop:
					return
				case <-time.After(time.Until(turn)):
				}
				if n%5 == 4 {
					l.post(c, w.url(host, fmt.Sprintf("/post-%d", n)))
				} else {
					l.get(c, w.url(host, "/get"), turn)
				}
			}
		})
	}
	return l
}

func (l *steady) get(c *http.Client, url string, turn time.Time) {
	answer, err := c.Get(url)
	became := outcomeOf(answer, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gets = append(l.gets, time.Since(turn))
	if became != "" {
		l.failedGet = append(l.failedGet, fmt.Sprintf("after %v: %s", time.Since(l.began).Round(time.Millisecond), became))
	}
}

func (l *steady) post(c *http.Client, url string) {
	answer, err := c.Post(url, "text/plain", strings.NewReader("once"))
	became := outcomeOf(answer, err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts++
	if became == "" {
		l.postsOK = append(l.postsOK, answer.Request.URL.Path)
		return
	}
	l.failed[became]++
}

// outcomeOf reads an answer to its end; "" is 200.
func outcomeOf(answer *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err.Error()
	}
	if answer.StatusCode != http.StatusOK {
		return answer.Status
	}
	return ""
}

// after lets so much of time pass.
func (l *steady) after(d time.Duration) { <-time.After(d) }

// end stops the load and waits for the last answers.
func (l *steady) end(t *testing.T) {
	t.Helper()
	took := time.Since(l.began)
	close(l.stop)
	l.running.Wait()
	slices.Sort(l.gets)
	t.Logf("%d GETs and %d POSTs in %v, %.0f a second; of the GETs half within %v, 99%% within %v, all within %v; %d GETs failed; of the POSTs failed %v",
		len(l.gets), l.posts, took.Round(time.Millisecond), float64(len(l.gets)+l.posts)/took.Seconds(),
		l.quantile(0.5), l.quantile(0.99), l.quantile(1), len(l.failedGet), l.failed)
}

func (l *steady) quantile(q float64) time.Duration {
	if len(l.gets) == 0 {
		return 0
	}
	return l.gets[min(int(q*float64(len(l.gets))), len(l.gets)-1)].Round(100 * time.Microsecond)
}

// noGetFailed wants that.
func (l *steady) noGetFailed(t *testing.T) {
	t.Helper()
	for i, what := range l.failedGet {
		if i == 10 {
			t.Errorf("and %d GETs more failed", len(l.failedGet)-10)
			return
		}
		t.Errorf("a GET failed %s", what)
	}
}

// arrivedOnce wants each POST to have arrived at most once at all backends taken together, and those that were answered
// to have arrived; it returns how many requests arrived.
func (l *steady) arrivedOnce(t *testing.T, workers ...*worker) (all int) {
	t.Helper()
	arrived := make(map[string]int)
	for _, w := range workers {
		for what, n := range w.arrived() {
			arrived[what] += n
			all += n
		}
	}
	for what, n := range arrived {
		if strings.HasPrefix(what, "POST ") && n > 1 {
			t.Errorf("%s arrived %d times", what, n)
		}
	}
	for _, path := range l.postsOK {
		if arrived["POST "+path] != 1 {
			t.Errorf("POST %s was answered and arrived %d times", path, arrived["POST "+path])
		}
	}
	return all
}

// TestFailoverAtRate: of two backends one is killed under 500 requests a second, and comes back, again and again. No
// GET fails, no POST arrives twice, and nothing has to be written for that.
func TestFailoverAtRate(t *testing.T) {
	w := newWorld(t)
	one, other := newWorker(t, 40*time.Millisecond), newWorker(t, 40*time.Millisecond)
	w.write(t, "tenants/acme.yaml", acmeText(one.url(), other.url()))
	w.start(t)
	l := w.pour(t, clientOfAcme, "acme.example", 500)
	for _, victim := range []*worker{one, other, one} {
		l.after(time.Second)
		victim.kill()
		l.after(time.Second)
		victim.start()
		// Ten seconds after it was ejected one request tries it; the next one to be killed must not be the last.
		eventually(t, time.Minute, "both backends are up", func() bool {
			return w.metric(t, `gatehouse_pool_backends{route="/",state="up",tenant="acme"}`) == 2
		})
	}
	l.after(time.Second)
	l.end(t)
	l.noGetFailed(t)
	all := l.arrivedOnce(t, one, other)
	asked := len(l.gets) + l.posts
	t.Logf("%d requests arrived %d times", asked, all)
	// At most what each client had asked for when a backend was killed arrived twice.
	if most := asked + 3*steadyClients; all > most {
		t.Errorf("%d requests arrived %d times, want at most %d", asked, all, most)
	}
}

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFewDescriptors: where few files may be open, the tenant that wants them all is refused more, by connections of its
// clients and by those to its backends, and the other one is served on new connections as well.
func TestFewDescriptors(t *testing.T) {
	w := newWorld(t)
	w.files = 256 // 96 connections of clients, 96 to backends
	backend := newBulk(t)
	w.write(t, "tenants/acme.yaml", acmeText(backend.URL))
	p := w.start(t)
	w.trust(t)
	streams := w.client(t, clientOfAcme, "h2")
	get(t, streams, w.url("acme.example", "/"), 200)
	idle := newCrowd(t)
	idle.come(300, func(i int) net.Conn {
		return w.tell(t, []string{clientOfAcme, auditor, browser}[i%3], "acme.example", "")
	})
	stayed := idle.stay()
	t.Logf("of 300 connections %d stay", stayed)
	if stayed < 50 || stayed > 96 {
		t.Errorf("%d connections stay, want most of 96", stayed)
	}
	get(t, w.client(t, clientOfGlobex), w.url("globex.example", "/"), 200)

	codes := w.askMany(t, streams, 100)
	eventually(t, answerTime, "what is too much is refused", func() bool { return codes.of(http.StatusServiceUnavailable) > 0 })
	get(t, w.client(t, clientOfGlobex), w.url("globex.example", "/"), 200)
	backend.release()
	codes.wait()
	t.Logf("of 100 requests %d are answered and %d refused", codes.of(200), codes.of(503))
	if codes.of(200) < 50 || codes.of(200)+codes.of(503) != 100 {
		t.Errorf("the answers are %v, want 200, and 503 for some", codes.counts)
	}
	if w.metric(t, `gatehouse_shed_total{means="backend_connections",tenant="acme"}`) == 0 {
		t.Error("no refusal is counted")
	}
	if log := p.log.String(); !strings.Contains(log, "means=backend_connections") || !strings.Contains(log, "reason=too_many_connections") {
		t.Error("the log does not tell what is short")
	}
	idle.home()
	w.servesAgain(t)
	if n := w.metric(t, fmt.Sprintf("gatehouse_accept_errors_total{listener=%q}", fmt.Sprintf("127.0.0.1:%d", w.https))); n != 0 {
		t.Errorf("accepting met %.0f errors", n)
	}
}

// servesAgain wants acme to be served soon.
func (w *world) servesAgain(t *testing.T) {
	t.Helper()
	eventually(t, answerTime, "the tenant is served again", func() bool {
		answer, err := w.client(t, clientOfAcme).Get(w.url("acme.example", "/"))
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// codes are the statuses of answers; 0 for none.
type codes struct {
	mu      sync.Mutex
	counts  map[int]int
	running sync.WaitGroup
}

func (c *codes) of(status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[status]
}

func (c *codes) wait() { c.running.Wait() }

func (c *codes) add(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[status]++
}

// askMany asks for what is slow, all at once.
func (w *world) askMany(t *testing.T, client *http.Client, n int) *codes {
	c := &codes{counts: make(map[int]int)}
	for range n {
		c.running.Go(func() {
			answer, err := client.Get(w.url("acme.example", "/slow"))
			if err != nil {
				t.Logf("GET /slow: %v", err)
				c.add(0)
				return
			}
			answer.Body.Close()
			c.add(answer.StatusCode)
		})
	}
	return c
}

// TestNoDescriptors: when not one more file may be open, connections wait to be accepted and those that are open are
// served; it costs no processor time, it is told, and is over as soon as there are files again.
func TestNoDescriptors(t *testing.T) {
	w := newWorld(t)
	p := w.start(t)
	w.trust(t)
	open := w.client(t, clientOfGlobex)
	get(t, open, w.url("globex.example", "/"), 200)
	errors := fmt.Sprintf("gatehouse_accept_errors_total{listener=%q}", fmt.Sprintf("127.0.0.1:%d", w.https))
	w.metric(t, errors)          // its connection stays open, too
	former := p.allowFiles(t, 1) // fewer than it has open: not one more

	waiting := make(chan error, 1)
	fresh := w.client(t, clientOfAcme)
	go func() {
		answer, err := fresh.Get(w.url("acme.example", "/"))
		if err == nil {
			answer.Body.Close()
		}
		waiting <- err
	}()
	eventually(t, answerTime, "accepting meets errors", func() bool { return w.metric(t, errors) > 2 })
	spent, began := p.cpuTime(t), time.Now()
	for time.Since(began) < 3*time.Second {
		get(t, open, w.url("globex.example", "/"), 200)
		<-time.After(100 * time.Millisecond)
	}
	spent = p.cpuTime(t) - spent
	t.Logf("without descriptors it takes %v of processor time in %v", spent, time.Since(began).Round(time.Second))
	if spent > time.Second && !underRace {
		t.Errorf("it takes %v of processor time in 3 s", spent)
	}
	if n := strings.Count(p.log.String(), "accepting connections meets an error"); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
	p.allowFiles(t, former)
	back := time.Now()
	if err := <-waiting; err != nil {
		t.Errorf("who waited meanwhile: %v", err)
	}
	if took := time.Since(back); took > 3*time.Second && !underRace {
		t.Errorf("it goes on after %v, want a second", took)
	}
	get(t, w.client(t, clientOfAcme), w.url("acme.example", "/"), 200)
}

// allowFiles bounds how many files the process may open from now on, and returns the former bound.
func (p *process) allowFiles(t *testing.T, n uint64) uint64 {
	t.Helper()
	var former unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &former); err != nil {
		t.Fatal(err)
	}
	bound := unix.Rlimit{Cur: n, Max: former.Max}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &bound, nil); err != nil {
		t.Fatal(err)
	}
	return former.Cur
}

// cpuTime is what the process has taken so far.
func (p *process) cpuTime(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	// proc(5): behind the name, which is in parentheses, utime and stime are the 12th and 13th, in hundredths.
	fields := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		t.Fatalf("%s: %v, %v", text, err1, err2)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// peakMemory is the most that the process has had in memory.
func (p *process) peakMemory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int
	if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// TestMemoryPressure: with little memory, a tenant whose clients want many times as much in every way there is gets its
// part and is refused the rest; the process stays within its means, and the other tenant's clients do not notice.
func TestMemoryPressure(t *testing.T) {
	const limit = 96 << 20
	w := newWorld(t)
	w.env = []string{fmt.Sprintf("GOMEMLIMIT=%d", limit)}
	backend := newBulk(t)
	w.write(t, "tenants/acme.yaml", acmeText(backend.URL)+"request_buffer: 4MiB\nlimits: {min_rate: off}\n")
	p := w.start(t)
	w.trust(t)
	other := w.pour(t, clientOfGlobex, "globex.example", otherRate)
	other.after(time.Second)

	// Requests over HTTP/2 that wait for their backend.
	var streams []*codes
	for range 5 {
		c := w.client(t, clientOfAcme, "h2")
		get(t, c, w.url("acme.example", "/"), 200)
		streams = append(streams, w.askMany(t, c, 100))
	}
	eventually(t, answerTime, "many requests wait", func() bool { return w.metric(t, `gatehouse_requests_in_flight{tenant="acme"}`) > 300 })
	greedy := newCrowd(t)
	body := strings.Repeat("x", 3<<20)
	// Bodies that are held before a backend is taken, until the last byte comes.
	greedy.come(200, func(int) net.Conn {
		return w.tell(t, clientOfAcme, "acme.example", "POST /held HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 4000000\r\n\r\n"+body)
	})
	// Bodies that are passed on, and answers that nobody reads.
	greedy.come(800, func(i int) net.Conn {
		if i%2 == 0 {
			return w.tell(t, clientOfAcme, "acme.example", "POST /passed HTTP/1.1\r\nHost: acme.example\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n")
		}
		return w.tell(t, auditor, "acme.example", plainGet("/large", "acme.example"))
	})
	const taken, of, shed = `gatehouse_means_taken{means="memory"}`, `gatehouse_means{means="memory"}`, `gatehouse_shed_total{means="memory",tenant="acme"}`
	eventually(t, answerTime, "the tenant is refused more", func() bool { return w.metric(t, shed) > 100 })
	other.after(4 * time.Second)
	t.Logf("of %.1f MiB %.1f MiB are taken, %.0f times more was refused; the process has had at most %.1f MiB, and has %.1f MiB of heap and stacks",
		w.metric(t, of)/(1<<20), w.metric(t, taken)/(1<<20), w.metric(t, shed), float64(p.peakMemory(t))/(1<<20), w.goMemory(t)/(1<<20))
	get(t, w.client(t, clientOfGlobex), w.url("globex.example", "/"), 200)
	other.end(t)
	other.unmoved(t)
	if got := w.metric(t, of); got != limit/2 {
		t.Errorf("%.0f bytes are shared, want half of %d", got, limit)
	}
	// Beside heap and stacks a process has its program in memory.
	if peak := p.peakMemory(t); peak > limit+limit/2 && !underRace {
		t.Errorf("the process had %d bytes in memory, with a limit of %d", peak, limit)
	}
	if !strings.Contains(p.log.String(), `who="tenant acme" means=memory`) {
		t.Error("the log does not tell that memory is short")
	}
	greedy.home()
	backend.release()
	for i, c := range streams {
		c.wait()
		if c.of(200)+c.of(503) != 100 {
			t.Errorf("the answers on connection %d are %v, want 200, and 503 for some", i, c.counts)
		}
	}
	w.servesAgain(t)
	eventually(t, answerTime, "nothing is held any more", func() bool { return w.metric(t, taken) < 8<<20 })
}

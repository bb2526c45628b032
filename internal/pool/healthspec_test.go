package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/conf"
)

func decodeHealth(text string) (*HealthSpec, *conf.Report) {
	var f struct {
		Health *HealthSpec `conf:"health" doc:"d"`
	}
	r := new(conf.Report)
	conf.Decode("f", []byte(text), &f, r)
	return f.Health, r
}

func TestHealthSpec(t *testing.T) {
	for text, want := range map[string]string{
		"health: /healthz":                             "checked by GET /healthz every 5s",
		"health: {path: \"/a?b=c\", every: 500ms}":     "checked by GET /a?b=c every 500ms",
		"health: off":                                  "not checked",
		"health: {every: 1s}":                          "not checked",
		"health: healthz":                              `f:1:9: "healthz" is not a path; write it like "/healthz"`,
		"health: \"/a b\"":                             `f:1:9: "/a b" is not a path; write it like "/healthz"`,
		"health: {path: /a#b}":                         `f:1:16: "/a#b" is not a path; write it like "/healthz"`,
		"health: {every: 100ms}":                       `f:1:17: every is "100ms"; expected 500ms to 1h`,
		"health: {timeout: 2m}":                        `f:1:19: timeout is "2m"; expected 50ms to 1m`,
		"health: {rise: 0}":                            `f:1:16: rise is 0; expected 1 to 100`,
		"health: {fall: 101}":                          `f:1:16: fall is 101; expected 1 to 100`,
		"health: {port: 65536}":                        `f:1:16: port is 65536; expected 1 to 65535`,
		"health: {status: []}":                         `f:1:18: status names none; expected at least one`,
		"health: {status: 100}":                        `f:1:18: "100" is no status of a final answer; write it like "200" or "200-399"`,
		"health: {status: [299-200]}":                  `f:1:19: "299-200" is no status of a final answer; write it like "200" or "200-399"`,
		"health: {body: \"\"}":                         `f:1:16: body has 0 bytes; expected 1 to 1024`,
		"health: {host: \"a b\"}":                      `f:1:16: host "a b" is neither a name nor an address, with or without a port`,
		"health: {start: maybe}":                       `f:1:17: "maybe" is unknown; expected "up" or "down"`,
		"health: {path: /, status: [200, 300-399]}":    "checked by GET / every 5s",
		"health: {path: /, host: \"[2001:db8::1]:8\"}": "checked by GET / every 5s",
	} {
		spec, r := decodeHealth(text)
		got := spec.Compile().String()
		if list := r.Findings(); len(list) > 0 {
			got = list[0].Pos.String() + ": " + list[0].Text
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func health(t *testing.T, text string) Health {
	t.Helper()
	spec, r := decodeHealth("health: " + text)
	if r.Faults() > 0 {
		t.Fatal(r.Findings())
	}
	return spec.Compile()
}

// What is a good answer.
func TestJudge(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, test := range []struct{ rule, answer, want string }{
		{"/", ok + "\r\n", "good"},
		{"/", "HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", "good"},
		{"/", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "good"},
		{"/", "HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"},
		{"/", "", "no answer: EOF"},
		{"/", "HTTP/1.1 200 ", "no answer: EOF"},
		{"/", "SSH-2.0-OpenSSH\r\n", "the answer is malformed"},
		{"/", ok + "X: " + strings.Repeat("x", 100_000), "the answer is malformed"},
		{"{path: /, status: 204}", ok + "\r\n", "answered 200"},
		{"{path: /, body: ready}", ok + "Content-Length: 8\r\n\r\n{ready}\n", "good"},
		{"{path: /, body: ready}", ok + "Content-Length: 3\r\n\r\nno\n", "the first 3 bytes of the body do not have"},
		{"{path: /, body: ready}", ok + "\r\nnot yet, re", "the first 11 bytes of the body do not have"},
		{"{path: /, body: ready}", ok + "\r\nit is ready", "good"},
		{"{path: /, body: ready}", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n", "good"},
		{"{path: /, body: ready}", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nre\r\n0\r\n\r\n", "the first 2 bytes of the body do not have"},
		{"{path: /, body: ready}", ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "the answer is malformed"},
		{"{path: /, body: ready}", ok + "\r\n" + strings.Repeat("x", 70_000) + "ready", "the first 65517 bytes of the body do not have"},
		{"{path: /, body: ready}", "HTTP/1.1 204 No Content\r\n\r\n", "the first 0 bytes of the body do not have"},
	} {
		rule := health(t, test.rule)
		for _, size := range []int{1, 7, 100_000} {
			got := "good"
			if err := rule.judge(&dribble{text: test.answer, size: size}); err != nil {
				got = err.Error()
			}
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, %d at a time, %.40q: %s, want %s", test.rule, size, test.answer, got, test.want)
			}
		}
	}
}

// dribble is a text that comes in pieces.
type dribble struct {
	text string
	size int
}

func (d *dribble) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), d.size)], d.text)
	d.text = d.text[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A check asks the backend itself, as requests do, or another port of it.
func TestCheckAsks(t *testing.T) {
	serve := func(answer string) (addr string, asked <-chan string) {
		l, conns := listen(t)
		heads := make(chan string, 4)
		go func() {
			for c := range conns {
				var head [500]byte
				n, _ := c.Read(head[:])
				heads <- string(head[:n])
				_, _ = io.WriteString(c, answer)
				c.Close()
			}
		}()
		return l.Addr().String(), heads
	}
	addr, asked := serve("HTTP/1.1 200 OK\r\n\r\n")
	other, askedOther := serve("HTTP/1.1 500 x\r\n\r\n")
	m := member(t, Options{}, BackendSpec{URL: at("http://" + addr)}, nil)
	rule := health(t, "/healthz")
	if err := m.check(context.Background(), &rule); err != nil {
		t.Error(err)
	}
	if got, want := <-asked, "GET /healthz HTTP/1.1\r\nHost: "+addr+"\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n"; got != want {
		t.Errorf("asked %q, want %q", got, want)
	}
	_, port, _ := net.SplitHostPort(other)
	rule = health(t, "{path: /h, host: app.internal, port: "+port+"}")
	if got := rule.Address(m.Backend()); got != other {
		t.Errorf("the check goes to %s, want %s", got, other)
	}
	if err := m.check(context.Background(), &rule); err == nil || err.Error() != "answered 500" {
		t.Errorf("%v, want that it answered 500", err)
	}
	if got := <-askedOther; !strings.HasPrefix(got, "GET /h HTTP/1.1\r\nHost: app.internal\r\n") {
		t.Errorf("asked %q", got)
	}
}

// A backend that is silent is given up in time, and at once when all ends.
func TestCheckEnds(t *testing.T) {
	m, _ := plainMember(t)
	rule := health(t, "{path: /, timeout: 50ms}")
	if err := m.check(context.Background(), &rule); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v, want a time-out", err)
	}
	rule.Timeout = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := m.check(ctx, &rule); err == nil {
		t.Error("a silent backend is fine")
	}
	forbidden := errors.New("it is ours")
	m = member(t, Options{Guard: func(netip.AddrPort) error { return forbidden }}, BackendSpec{URL: at("http://127.0.0.1:1")}, nil)
	if err := m.check(context.Background(), &rule); !errors.Is(err, forbidden) {
		t.Errorf("%v, want what the guard says", err)
	}
}

func TestObserve(t *testing.T) {
	rules := Rules{Health: health(t, "{path: /, rise: 2, fall: 3}"), Ejection: builtinEjection}
	bad := errors.New("answered 503")
	for _, test := range []struct {
		start   string
		results string // + good, - bad
		want    string // how it stands after each: u up, d down
	}{
		{"up", "---++", "uuddu"},
		{"up", "--+--+---", "uuuuuuuud"},
		{"up", "---+-++", "uudddd" + "u"},
		{"down", "+", "u"},
		{"down", "-++", "ddu"},
	} {
		rule := rules
		rule.Health.StartsDown = test.start == "down"
		var told []Standing
		p := New("t /", NewPlan(backends(t, "", ""), rule), Options{Notify: func(c Transition) { told = append(told, c.To) }})
		got := ""
		for _, result := range test.results {
			var fault error
			if result == '-' {
				fault = bad
			}
			p.seats()[0].observe(&rule.Health, fault, time.Now())
			got += string(p.Status(time.Now())[0].Standing)[:1]
		}
		if got != test.want {
			t.Errorf("%s, %s: %s, want %s", test.start, test.results, got, test.want)
		}
		changes := 0
		for i := range got {
			before := test.start[0]
			if i > 0 {
				before = got[i-1]
			}
			if got[i] != before {
				changes++
			}
		}
		if len(told) != changes {
			t.Errorf("%s: told %v, want %d changes", test.results, told, changes)
		}
	}
}

// One that is down gets nothing, not even as the last resort, and is named with
// the reason.
func TestDownGetsNothing(t *testing.T) {
	rule := Rules{Health: health(t, "{path: /, fall: 1}"), Ejection: builtinEjection}
	p := poolOf(t, rule, "", "backup")
	p.seats()[0].observe(&rule.Health, errors.New("answered 503"), time.Now())
	if got := seats(p, 2); got != "[1 1]" {
		t.Errorf("the first is down: %s", got)
	}
	p.seats()[1].observe(&rule.Health, errors.New("connection refused"), time.Now())
	if got := seats(p, 2); got != "[-1 -1]" {
		t.Errorf("both are down: %s", got)
	}
	status := p.Status(time.Now())[1]
	if status.Standing != Unwell || status.Why != "its check fails: connection refused" || status.Since.IsZero() {
		t.Errorf("status %+v", status)
	}
	// Under another rule nothing is known yet; results of the former do not count.
	other := rule
	other.Health.Path = "/other"
	next := New("t /", NewPlan(p.plan.Backends, other), Options{Adopt: p.Orphan})
	next.seats()[0].observe(&rule.Health, errors.New("late"), time.Now())
	if got := standings(next); got != "up up" {
		t.Errorf("under another rule: %s", got)
	}
}

// A reload that changes how backends are looked at takes none out that gets
// requests. One that is down stays so while what is asked is the same, or until
// its first good answer where the rule wants one first.
func TestAdoptByAnotherRule(t *testing.T) {
	bad := errors.New("answered 503")
	for _, test := range []struct {
		before, after string
		want          string // of one that is up, and one that is down
		answer        string // how the second stands after one good answer
	}{
		{"{path: /, start: down}", "{path: /, start: down, every: 6s}", "up down", "up down"},
		{"{path: /, start: down}", "{path: /other, start: down}", "up down", "up up"},
		{"{path: /, start: down}", "{path: /other}", "up up", "up up"},
		{"{path: /}", "{path: /, every: 6s, timeout: 3s, fall: 2, rise: 3}", "up down", "up down"},
		{"{path: /}", "{path: /, rise: 1}", "up down", "up up"},
		{"{path: /}", "{path: /, start: down}", "up down", "up down"},
		{"{path: /}", "{path: /other, start: down}", "up down", "up up"},
		{"{path: /}", "{path: /, port: 81}", "up up", "up up"},
		{"{path: /}", "{path: /, status: 200}", "up up", "up up"},
	} {
		rule := Rules{Health: health(t, test.before), Ejection: builtinEjection}
		p := poolOf(t, rule, "", "")
		p.seats()[0].observe(&rule.Health, nil, time.Now())
		for range rule.Health.Fall {
			p.seats()[1].observe(&rule.Health, bad, time.Now())
		}
		if got := standings(p); got != "up down" {
			t.Fatalf("%s: %s", test.before, got)
		}
		rule.Health = health(t, test.after)
		next := New("t /", NewPlan(p.plan.Backends, rule), Options{Adopt: p.Orphan})
		if got := standings(next); got != test.want {
			t.Errorf("%s, then %s: %s, want %s", test.before, test.after, got, test.want)
		}
		next.seats()[1].observe(&rule.Health, nil, time.Now())
		if got := standings(next); got != test.answer {
			t.Errorf("%s, then %s, and a good answer: %s, want %s", test.before, test.after, got, test.answer)
		}
	}
}

// What has not been looked at yet gets requests once start says so, and one that is
// new waits where it says that.
func TestAdoptBeforeTheFirstAnswer(t *testing.T) {
	rule := Rules{Health: health(t, "{path: /, start: down}")}
	p := poolOf(t, rule, "")
	other := rule
	other.Health.Every = time.Minute
	next := New("t /", NewPlan(backends(t, "", ""), other), Options{Adopt: p.Orphan})
	if got, why := standings(next), next.Status(time.Now())[0].Why; got != "down down" || why != notLookedAt {
		t.Errorf("with start: down: %s, why %q", got, why)
	}
	other.Health.StartsDown = false
	next = New("t /", NewPlan(backends(t, "", ""), other), Options{Adopt: next.Orphan})
	if got := standings(next); got != "up up" {
		t.Errorf("without: %s", got)
	}
}

// checker counts the checks of each member.
type checker struct {
	mu    sync.Mutex
	times map[*Member][]time.Time
}

func runChecks(t *testing.T, probe func(context.Context, *Member, *Health) error) (*Checks, *checker, func()) {
	t.Helper()
	c, count := NewChecks(), &checker{times: make(map[*Member][]time.Time)}
	c.probe = func(ctx context.Context, m *Member, h *Health) error {
		count.mu.Lock()
		count.times[m] = append(count.times[m], time.Now())
		count.mu.Unlock()
		return probe(ctx, m, h)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx)
	}()
	return c, count, func() { cancel(); <-done }
}

func TestChecksKeepTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, count, stop := runChecks(t, func(context.Context, *Member, *Health) error { return nil })
		defer stop()
		p := poolOf(t, Rules{Health: health(t, "{path: /, every: 10s}")}, "", "drain", "down")
		c.Watch([]*Pool{p, poolOf(t, Rules{}, "")})
		time.Sleep(1000 * time.Second)
		synctest.Wait()
		count.mu.Lock()
		defer count.mu.Unlock()
		if len(count.times) != 2 || count.times[p.seats()[2].Member] != nil {
			t.Errorf("%d members were looked at, want the active and the draining one", len(count.times))
		}
		for _, times := range count.times {
			if n := len(times); n < 95 || n > 106 {
				t.Errorf("%d checks in 1000 s, want about 100", n)
			}
			for i := range times[1:] {
				if pause := times[i+1].Sub(times[i]); pause < 9*time.Second || pause > 11*time.Second {
					t.Errorf("%s between two checks", pause)
				}
			}
		}
	})
}

// A reload leaves the turn of those that stay, and ends the checks of the others.
func TestWatchAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, count, stop := runChecks(t, func(context.Context, *Member, *Health) error { return nil })
		defer stop()
		rule := Rules{Health: health(t, "{path: /, every: 1h}")}
		stays, goes := poolOf(t, rule, ""), poolOf(t, rule, "")
		c.Watch([]*Pool{stays, goes})
		time.Sleep(time.Minute)
		for range 5 {
			c.Watch([]*Pool{stays})
			time.Sleep(time.Minute)
		}
		time.Sleep(74 * time.Minute)
		synctest.Wait()
		count.mu.Lock()
		if n, m := len(count.times[stays.seats()[0].Member]), len(count.times[goes.seats()[0].Member]); n != 2 || m != 1 {
			t.Errorf("%d and %d checks, want 2 and 1", n, m)
		}
		count.mu.Unlock()
		if len(c.queue) != 1 {
			t.Errorf("%d in the queue, want 1", len(c.queue))
		}
	})
}

// A pool whose backends hang takes its own places and nobody else's.
func TestChecksThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rule := Rules{Health: health(t, "{path: /, every: 10s, timeout: 10s}")}
		var texts []string
		for range 100 {
			texts = append(texts, "")
		}
		hangs, fine := poolOf(t, rule, texts...), poolOf(t, rule, "")
		var busy, most atomic.Int64
		c, count, stop := runChecks(t, func(ctx context.Context, m *Member, h *Health) error {
			if m == fine.seats()[0].Member {
				return nil
			}
			most.Store(max(most.Load(), busy.Add(1)))
			defer busy.Add(-1)
			select {
			case <-ctx.Done():
			case <-time.After(h.Timeout):
			}
			return fmt.Errorf("silent")
		})
		defer stop()
		c.Watch([]*Pool{hangs, fine})
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if got := most.Load(); got != poolChecksMax {
			t.Errorf("%d checks of one pool at a time, want %d", got, poolChecksMax)
		}
		count.mu.Lock()
		defer count.mu.Unlock()
		if n := len(count.times[fine.seats()[0].Member]); n < 18 {
			t.Errorf("%d checks of the other pool in 200 s, want about 20", n)
		}
	})
}

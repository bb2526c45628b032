package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/token"
)

// canaryTenant has a main and a canary backend, and what is said of the canary
// besides.
func canaryTenant(main, canary, rules string) string {
	return fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: [\"http://%s\"]\ncanary: {backends: [\"http://%s\"], %s}\n", main, canary, rules)
}

// count asks n times and counts who answers.
func count(t *testing.T, g *gateway, n int, fields string) map[string]int {
	t.Helper()
	answers := make(map[string]int)
	for range n {
		status, name := whoAnswers(t, g, fields)
		if status != http.StatusOK {
			name = fmt.Sprint(status)
		}
		answers[name]++
	}
	return answers
}

// Weight, header and cookie send requests to the canary.
func TestCanaryTakes(t *testing.T) {
	t.Parallel()
	main, canary := namedBackend(t, "main", nil), namedBackend(t, "canary", nil)
	for _, test := range []struct {
		rules, fields string
		least, most   int // of 100
	}{
		{"weight: 0%", "", 0, 0},
		{"weight: 100%", "", 100, 100},
		{"weight: 50%", "", 20, 80},
		{"header: {X-Canary: always}", "", 0, 0},
		{"header: {X-Canary: always}", "x-canary: always\r\n", 100, 100},
		{"header: {X-Canary: always}", "X-Canary: Always\r\n", 0, 0},
		{"cookie: {c: \"1\"}", "Cookie: b=1; c=1\r\n", 100, 100},
		{"cookie: {c: \"1\"}, header: {X-C: \"1\"}", "Cookie: c=2\r\nX-C: 1\r\n", 100, 100},
		{"cookie: {c: \"1\"}", "Cookie: c=11\r\n", 0, 0},
	} {
		g := startGateway(t, canaryTenant(main, canary, test.rules), setup{})
		if got := count(t, g, 100, test.fields)["canary"]; got < test.least || got > test.most {
			t.Errorf("%s with %q: the canary had %d of 100, want %d to %d", test.rules, test.fields, got, test.least, test.most)
		}
	}
}

// What the canary cannot take or fails without harm goes to the backends beside
// it; once it is ejected it is not waited for.
func TestCanaryDownIsNoOutage(t *testing.T) {
	t.Parallel()
	main := namedBackend(t, "main", nil)
	closes := serveConns(t, readRequest)
	for name, test := range map[string]struct{ rules, canary string }{
		"refuses":               {"", refusedPort(t)},
		"closes":                {"", closes},
		"closes, no retries":    {"retries: {attempts: 1, budget: 0%, min: off}\n", closes},
		"closes, never ejected": {"ejection: off\n", closes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, test.rules+canaryTenant(main, test.canary, "weight: 100%"), setup{})
			if got := count(t, g, 20, ""); got["main"] != 20 {
				t.Errorf("answers %v, want 20 of main", got)
			}
			if got := counter(t, g.metrics, `gatehouse_canary_fallbacks_total{tenant="acme"}`); got != 20 {
				t.Errorf("%v fell back, want 20", got)
			}
			failed := counter(t, g.metrics, `gatehouse_canary_errors_total{tenant="acme"}`)
			if want := 5.0; !strings.Contains(test.rules, "ejection") && failed != want {
				t.Errorf("%v errors of the canary before it is ejected, want %v", failed, want)
			}
		})
	}
}

// A canary is given up when its errors are too many, and stays so while it means
// the same.
func TestCanaryAborts(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	main, canary := namedBackend(t, "main", nil), namedBackend(t, "canary", &status)
	rules := "weight: 100%, abort_if: {errors: 20%, of: 10, within: 1m}"
	g := startGateway(t, canaryTenant(main, canary, rules), setup{})
	if got := count(t, g, 8, ""); got["canary"] != 8 {
		t.Fatalf("answers %v, want 8 of the canary", got)
	}
	status.Store(500)
	if got := count(t, g, 4, ""); got["500"] != 2 || got["main"] != 2 {
		t.Errorf("answers %v, want two of 500, then main: 2 of 10 are 20%%", got)
	}
	status.Store(0)
	g.Apply(compileTable(t, "timeouts: {idle: 10s}\n"+canaryTenant(main, canary, rules), setup{}))
	if got := count(t, g, 5, ""); got["main"] != 5 {
		t.Errorf("after a reload: answers %v, want main", got)
	}
	stats := g.Stats().Canaries["acme"]
	if len(stats) != 1 || stats[0].Requests != 10 || stats[0].Errors != 2 || stats[0].Why != "2 of 10 requests failed within 1m0s" {
		t.Errorf("status %+v", stats)
	}
	for series, want := range map[string]float64{
		`gatehouse_canary_requests_total{tenant="acme"}`: 10, `gatehouse_canary_errors_total{tenant="acme"}`: 2,
		`gatehouse_canary_aborts_total{tenant="acme"}`: 1, `gatehouse_canaries_aborted{tenant="acme"}`: 1,
	} {
		if got := counter(t, g.metrics, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	g.Apply(compileTable(t, canaryTenant(main, canary, "weight: 99%, abort_if: {errors: 20%, of: 10, within: 1m}"), setup{}))
	if got := count(t, g, 20, ""); got["canary"] == 0 {
		t.Errorf("after it was written otherwise: answers %v, want the canary's", got)
	}
	if got := counter(t, g.metrics, `gatehouse_canaries_aborted{tenant="acme"}`); got != 0 {
		t.Errorf("%v canaries are counted as aborted, want none", got)
	}
}

// What counts as an error of the canary: what it fails, not what a client does.
func TestCanaryErrors(t *testing.T) {
	t.Parallel()
	silent := serveConns(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	raw := func(answer string) string {
		return serveConns(t, func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, answer)
		})
	}
	for name, test := range map[string]struct {
		canary, settings string
		errors           float64
	}{
		"answers":        {namedBackend(t, "canary", nil), "", 0},
		"404":            {raw("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n"), "", 0},
		"503":            {raw("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n"), "", 1},
		"malformed":      {raw("HTTP/9 garbage\r\n\r\n"), "", 1},
		"cut":            {raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), "", 1},
		"cut 500":        {raw("HTTP/1.1 500 x\r\nContent-Length: 9\r\n\r\nx"), "", 1},
		"silent":         {silent, "timeouts: {first_byte: 1s}\n", 1},
		"silent, bound":  {silent, "timeouts: {total: 1s}\n", 1},
		"silent, client": {silent, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, test.settings+canaryTenant(namedBackend(t, "main", nil), test.canary, "weight: 100%"), setup{})
			c := g.dial(t)
			io.WriteString(c, get11("a.example", "/"))
			if name == "silent, client" {
				eventually(t, "the request to be with the canary", func() bool { return g.InFlight("acme", test.canary) == 1 })
				c.Close()
				eventually(t, "the request to end", func() bool { return g.InFlight("acme", "") == 0 })
			} else {
				_ = c.SetDeadline(time.Now().Add(patience))
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
			}
			eventually(t, "the error to count", func() bool {
				return counter(t, g.metrics, `gatehouse_canary_errors_total{tenant="acme"}`) == test.errors
			})
		})
	}
}

// A POST that the canary may have had is sent to nobody else.
func TestCanaryPostArrivesOnce(t *testing.T) {
	t.Parallel()
	var arrived atomic.Int32
	main := statusBackend(t, "main", func(*http.Request) int { arrived.Add(1); return http.StatusOK })
	g := startGateway(t, canaryTenant(main, serveConns(t, readRequest), "weight: 100%"), setup{})
	const post = "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\n\r\nx"
	if status, _, err := roundTrip(t, g, post); status != http.StatusBadGateway || err != nil {
		t.Errorf("%d, %v, want 502", status, err)
	}
	if got := arrived.Load(); got != 0 {
		t.Errorf("it arrived %d times beside the canary, want none", got)
	}
}

// setCookies asks once and returns who answered and the Set-Cookie fields.
func setCookies(t *testing.T, g *gateway, fields string) (name string, cookies []*http.Cookie) {
	t.Helper()
	c := g.dial(t)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	resp := ask(t, c, "GET / HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n")
	return bodyOf(resp), resp.Cookies()
}

// A client stays where it was put, over restarts too; a greater weight sends none
// back; a cookie of somebody else's making counts for nothing.
func TestCanaryIsSticky(t *testing.T) {
	t.Parallel()
	main, canary := namedBackend(t, "main", nil), namedBackend(t, "canary", nil)
	signing := setup{signing: token.NewKey()}
	tenant := func(percent int) string {
		return canaryTenant(main, canary, fmt.Sprintf("weight: %d%%, sticky: 1h", percent))
	}
	g := startGateway(t, tenant(50), signing)
	put := map[string]string{}
	for len(put) < 2 {
		name, cookies := setCookies(t, g, "")
		if len(cookies) != 1 {
			t.Fatalf("cookies %v, want one", cookies)
		}
		c := cookies[0]
		if !strings.HasPrefix(c.Name, "__Host-canary-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 3600 || c.Domain != "" {
			t.Fatalf("cookie %s", c.Raw)
		}
		put[name] = "Cookie: " + c.Name + "=" + c.Value + "\r\n"
	}
	stays := func(g *gateway, percent int, want map[string]string) {
		t.Helper()
		for name, cookie := range put {
			for range 5 {
				got, cookies := setCookies(t, g, cookie)
				if got != want[name] || len(cookies) != 0 {
					t.Errorf("at %d%%: who was put to %s gets %s and %d cookies, want %s and none", percent, name, got, len(cookies), want[name])
				}
			}
		}
	}
	stays(g, 50, map[string]string{"main": "main", "canary": "canary"})
	again := startGateway(t, tenant(50), signing)
	stays(again, 50, map[string]string{"main": "main", "canary": "canary"})
	again.Apply(compileTable(t, tenant(99), setup{}))
	if got, _ := setCookies(t, again, put["canary"]); got != "canary" {
		t.Errorf("a greater weight sent a client back to %s", got)
	}
	foreign := startGateway(t, tenant(50), setup{})
	if _, cookies := setCookies(t, foreign, put["canary"]); len(cookies) != 1 {
		t.Error("a cookie under another key is taken")
	}
}

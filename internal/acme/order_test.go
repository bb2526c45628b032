package acme

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

func TestProfiles(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	req := ask(s, "short.hosted.example")
	req.Profile = "shortlived"
	b := mustObtain(t, e, req)
	leaf := mustLeaf(t, b)
	if life := leaf.NotAfter.Sub(leaf.NotBefore).Round(time.Hour); life != 6*24*time.Hour || b.Profile != "shortlived" {
		t.Errorf("%q lives for %s, want shortlived, six days", b.Profile, life)
	}
	orders := proxy.Orders()
	req = ask(s, "unknown.hosted.example")
	req.Profile = "tlsserver"
	_, err := e.obtain(t.Context(), req)
	p := wantProblem(t, err, causeRequest, "invalidProfile")
	if !strings.Contains(p.Error(), "tlsserver") || !strings.Contains(p.Error(), "classic, shortlived") {
		t.Errorf("%q names neither what was asked for nor what is offered", p)
	}
	if proxy.Orders() != orders {
		t.Error("an order was spent on it")
	}
	if left, err := e.unfinished(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("orders are left: %v, %v", left, err)
	}
}

// TestRenewal: the successor has another key, replaces its predecessor at the
// authority, and takes its place in the store.
func TestRenewal(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	req := ask(s, "renew.hosted.example")
	first := mustObtain(t, e, req)
	req.Replaces = mustLeaf(t, first)
	second := mustObtain(t, e, req)
	if string(first.Key) == string(second.Key) || string(first.Chain[0]) == string(second.Chain[0]) {
		t.Error("the successor is the predecessor")
	}
	if stored, err := e.bundles.get(t.Context(), req.Name); err != nil || !stored.is(mustLeaf(t, second)) {
		t.Errorf("the store does not hold the successor: %v", err)
	}
	// The authority takes a second successor for a mistake; it is ordered without.
	third := mustObtain(t, e, req)
	if third.is(mustLeaf(t, second)) {
		t.Error("the third is the second")
	}
	if got := proxy.Orders(); got != 3 {
		t.Errorf("%d orders were placed, want 3", got)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	b := mustObtain(t, e, ask(s, "window.hosted.example"))
	at := b.Window
	if !at.Start.Before(at.End) || at.Chosen.Before(at.Start) || at.Chosen.After(at.End) || at.Again.Before(time.Now()) {
		t.Errorf("the window is %+v", at)
	}
	again, err := e.window(t.Context(), b)
	if err != nil || !again.Chosen.Equal(at.Chosen) {
		t.Errorf("the window stays, and its chosen moment moves from %s to %s: %v", at.Chosen, again.Chosen, err)
	}
	now := time.Now()
	answer := func(text, again string) {
		proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
			if !strings.HasPrefix(r.URL.Path, acmetest.Renewal) {
				return false
			}
			res.Header().Set("Content-Type", "application/json")
			res.Header().Set("Retry-After", again)
			_, _ = io.WriteString(res, text)
			return true
		})
	}
	span := func(from, to time.Duration) string {
		return fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q},"explanationURL":"https://ca.example/why\n%s"}`,
			now.Add(from).Format(time.RFC3339), now.Add(to).Format(time.RFC3339), strings.Repeat("y", 5000))
	}
	answer(span(-2*time.Hour, -time.Hour), "1")
	urgent, err := e.window(t.Context(), b)
	if err != nil || !urgent.Chosen.Before(now) || len(urgent.Explanation) > problemTextMax+8 || strings.Contains(urgent.Explanation, "\n") {
		t.Errorf("a window that is over: %v, %v", urgent, err)
	}
	if wait := urgent.Again.Sub(now); wait < windowAgainLeast || wait > 2*windowAgainLeast {
		t.Errorf("it is asked again in %s, want a minute", wait)
	}
	answer(span(time.Hour, 2*time.Hour), "99999999")
	if late, err := e.window(t.Context(), b); err != nil || late.Again.After(time.Now().Add(windowAgainMost)) {
		t.Errorf("it is asked again on %s, want within a day; %v", late.Again, err)
	}
}

// TestLimits: an authority that counts us out says until when, and is believed
// within bounds.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, c := range map[string]struct {
		retryAfter string
		want       time.Duration
	}{
		"seconds": {"120", 120 * time.Second},
		"date":    {"in an hour", time.Hour},
		"forever": {"4000000000", retryAfterMax},
		"none":    {"", 0},
		"garbage": {"tomorrow", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s := w.behindProxy(t)
			proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				if r.URL.Path != acmetest.NewOrder {
					return false
				}
				after := c.retryAfter
				if name == "date" {
					after = time.Now().Add(c.want).UTC().Format(http.TimeFormat)
				}
				res.Header().Set("Retry-After", after)
				tell(res, 429, "rateLimited", "too many\nnew orders\x1b[2J recently")
				return true
			})
			e := w.startEngine(t, store.NewMem(), s)
			began := time.Now()
			_, err := e.obtain(t.Context(), ask(s, "limit-"+name+".hosted.example"))
			p := wantProblem(t, err, causeLimit, "rateLimited")
			// A date has whole seconds, and comes nearer while the answer is on its way.
			if least := c.want - time.Since(began) - time.Second; p.RetryAfter > c.want || p.RetryAfter < least {
				t.Errorf("it sends us away for %s, want %s", p.RetryAfter, c.want)
			}
			if p.Status != 429 || p.Detail != "too many new orders[2J recently" {
				t.Errorf("status %d, words %q", p.Status, p.Detail)
			}
			if n := proxy.Count(acmetest.NewOrder); n != 1 {
				t.Errorf("it was asked %d times, want once", n)
			}
			proxy.Intercept(nil)
			mustObtain(t, e, ask(s, "limit-"+name+".hosted.example"))
		})
	}
}

// tell answers with a problem document.
func tell(res http.ResponseWriter, status int, kind, detail string) {
	text, _ := json.Marshal(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
	res.Header().Set("Content-Type", "application/problem+json")
	res.WriteHeader(status)
	_, _ = res.Write(text)
}

func TestAuthorityDown(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	mem := store.NewMem()
	e := w.startEngine(t, mem, s)
	if err := proxy.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := e.obtain(t.Context(), ask(s, "down.hosted.example"))
	p := wantProblem(t, err, causeAuthority, "")
	if !strings.Contains(p.Error(), "connection refused") || !p.elsewhere() {
		t.Errorf("%q does not say that nobody listens, or lets nobody else try", p)
	}
	// Another authority is asked, and it is written down why.
	s.authorities = append(s.authorities, authorityAt(t, w.ca.Directory, w.ca.Root))
	second := ask(s, "down.hosted.example")
	second.CA, second.Because = s.authorities[1], p.Error()
	b := mustObtain(t, e, second)
	stored, err := e.bundles.get(t.Context(), b.Name)
	if err != nil || stored.Because != p.Error() || stored.CAID != s.authorities[1].ID {
		t.Errorf("the certificate of %s says %q, %v; want %q", stored.CAID, stored.Because, err, p)
	}
}

// TestLostAnswer: the answer to newOrder is lost, and the process lives. The
// order is found, and not placed again.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	var cut atomic.Bool
	proxy.Intercept(func(_ http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		if r.URL.Path == acmetest.NewOrder && cut.CompareAndSwap(false, true) {
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	req := ask(s, "answer.hosted.example")
	_, err := e.obtain(t.Context(), req)
	wantProblem(t, err, causeAuthority, "")
	mustObtain(t, e, req)
	if got := proxy.Orders(); got != 1 {
		t.Errorf("%d orders were placed, want 1", got)
	}
}

// TestStuck: the authority never looks at an answer. The order is kept, and
// resumed once it does.
func TestStuck(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	proxy.Intercept(func(res http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if !strings.HasPrefix(r.URL.Path, acmetest.Challenge) {
			return false
		}
		res.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(res, `{"type":"http-01","status":"processing"}`)
		return true
	})
	// Time flies.
	var asked atomic.Int64
	e.now = func() time.Time { return time.Now().Add(time.Duration(asked.Add(1)) * 10 * time.Second) }
	req := ask(s, "stuck.hosted.example")
	_, err := e.obtain(t.Context(), req)
	p := wantProblem(t, err, causeAuthority, "")
	if !p.Kept || !p.Stalled || !strings.Contains(p.Detail, "no verdict") {
		t.Errorf("%q, kept %t", p, p.Kept)
	}
	proxy.Intercept(nil)
	e.now = time.Now
	left, err := e.unfinished(t.Context())
	if err != nil || len(left[req.CA.ID]) != 1 {
		t.Errorf("unfinished orders: %v, %v; want the one", left, err)
	}
	mustObtain(t, e, req)
	if got := proxy.Orders(); got != 1 {
		t.Errorf("%d orders were placed, want 1", got)
	}
}

// TestNotProved: nobody answers for the name. The order is dead, and the
// owner is told in the authority's words.
func TestNotProved(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	mem := store.NewMem()
	e := newEngine(mem, testLog(t), time.Now) // the listeners do not know it
	e.configure(s)
	t.Cleanup(e.close)
	_, err := e.obtain(t.Context(), ask(s, "silent.hosted.example"))
	p := wantProblem(t, err, causeHost, "unauthorized")
	if p.Kept || !strings.Contains(p.Detail, "404") {
		t.Errorf("%q, kept %t", p, p.Kept)
	}
	_, err = e.obtain(t.Context(), ask(s, "nowhere.elsewhere.example"))
	wantProblem(t, err, causeHost, "connection")
	if left, err := e.unfinished(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("orders are left: %v, %v", left, err)
	}
}

// TestStopped: an attempt that is cut short keeps its order.
func TestStopped(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	ctx, cancel := context.WithCancel(t.Context())
	proxy.Intercept(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.HasPrefix(r.URL.Path, acmetest.Authz) {
			cancel()
			<-r.Context().Done()
			return true
		}
		return false
	})
	req := ask(s, "stopped.hosted.example")
	_, err := e.obtain(ctx, req)
	if p := wantProblem(t, err, causeStopped, ""); !p.Kept {
		t.Error("the order is said to be lost")
	}
	proxy.Intercept(nil)
	mustObtain(t, e, req)
	if got := proxy.Orders(); got != 1 {
		t.Errorf("%d orders were placed, want 1", got)
	}
}

func TestRevocation(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	e := w.startEngine(t, store.NewMem(), s)
	for reason, host := range map[int]string{4: "superseded.hosted.example", 1: "stolen.hosted.example"} {
		b := mustObtain(t, e, ask(s, host))
		for range 2 { // a second time is fine
			if err := e.revoke(t.Context(), b, reason); err != nil {
				t.Errorf("revoke for reason %d: %v", reason, err)
			}
		}
		if revoked, err := w.ca.Revoked(mustLeaf(t, b).SerialNumber.Text(16)); err != nil || !revoked {
			t.Errorf("reason %d: revoked %t, %v", reason, revoked, err)
		}
		wantProblem(t, e.revoke(t.Context(), b, 6), causeRequest, "")
	}
}

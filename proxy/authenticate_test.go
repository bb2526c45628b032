package proxy

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// Hashes of "allmine" and "second", as cheap as they may be.
const (
	hashOfAllmine = "$argon2id$v=19$m=7168,t=5,p=1$MDEyMzQ1Njc4OWFiY2RlZg$soT2I9gyTnJyQs9mS+JawGxej7RAspfQUn11qqZvt54"
	hashOfSecond  = "$argon2id$v=19$m=7168,t=5,p=1$MDEyMzQ1Njc4OWFiY2RlZg$8K7UbCPOzIK9XRZ3OvEH2cDxnhyu/pidXVnhxn6KJFY"
)

// guardedTenant has a route that asks for more, and one that replaces the
// credentials on the way.
const guardedTenant = `
hosts: [a.example, {host: open.apps.example, routes: {/closed/: {basic_auth: {users: {ops: "` + hashOfAllmine + `"}}}}}]
access: {public: "a test"}
backends: ["{backend}"]
`

const guardedWhole = guardedTenant + `
basic_auth: {realm: "the shop", users: {ops: "` + hashOfAllmine + `", audit: "` + hashOfSecond + `"}}
routes:
  /admin/: {basic_auth: {realm: admin, users: {ops: "` + hashOfAllmine + `"}}}
  /own/: {headers: {request: {set: {Authorization: "Bearer of the backend"}}}}
`

func (w *world) withPassword(c *http.Client, method, url, name, password string) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequest(method, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if name != "" {
		request.SetBasicAuth(name, password)
	}
	response, err := c.Do(request)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, url, err)
	}
	return response, string(body)
}

// eachGuarded runs f over HTTP/1.1 on both planes, and over HTTP/2.
func eachGuarded(t *testing.T, tenant string, f func(t *testing.T, w *world, c *http.Client)) {
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane, "http2": OwnPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOn(t, map[string]string{"globex": twoTenants["globex"], "acme": tenant}, plane)
			f(t, w, w.client("direct", "127.0.0.1", name == "http2"))
		})
	}
}

func TestBasicAuth(t *testing.T) {
	t.Parallel()
	eachGuarded(t, guardedWhole, func(t *testing.T, w *world, c *http.Client) {
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "for "+r.Header.Get("Authorization"))
		})
		shop, admin := `Basic realm="the shop", charset="UTF-8"`, `Basic realm="admin", charset="UTF-8"`
		for _, test := range []struct {
			method, url, name, password string
			status                      int
			challenge, body             string
		}{
			{"GET", "https://a.example/", "", "", 401, shop, ""},
			{"HEAD", "https://a.example/", "", "", 401, shop, ""},
			{"POST", "https://a.example/", "ops", "wrong", 401, shop, ""},
			{"GET", "https://a.example/", "ops", "second", 401, shop, ""},
			{"GET", "https://a.example/", "nobody", "allmine", 401, shop, ""},
			{"GET", "https://a.example/", "ops", "allmine", 200, "", "for "},
			{"HEAD", "https://a.example/", "ops", "allmine", 200, "", ""},
			{"GET", "https://a.example/", "nobody", "allmine", 401, shop, ""},
			{"GET", "https://a.example/", "ops", "allmine", 200, "", "for "},
			{"GET", "https://a.example/", "audit", "second", 200, "", "for "},
			{"GET", "https://a.example/own/", "audit", "second", 200, "", "for Bearer of the backend"},
			{"GET", "https://a.example/admin/", "audit", "second", 401, admin, ""},
			{"GET", "https://a.example/ADMIN", "audit", "second", 401, admin, ""},
			{"GET", "https://a.example/admin/x", "ops", "allmine", 200, "", "for "},
			{"GET", "https://a.example/admin/../x", "ops", "allmine", 400, "", ""},
			{"GET", "https://b.example/", "ops", "allmine", 200, "", "for Basic b3BzOmFsbG1pbmU="},
		} {
			response, body := w.withPassword(c, test.method, test.url, test.name, test.password)
			if response.StatusCode != test.status || response.Header.Get("WWW-Authenticate") != test.challenge ||
				test.status == 200 && body != test.body {
				t.Errorf("%s %s by %q: %d, %q, %q; want %d, %q, %q", test.method, test.url, test.name,
					response.StatusCode, response.Header.Get("WWW-Authenticate"), body, test.status, test.challenge, test.body)
			}
			if test.status == 401 && response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s: a cache may keep the refusal", test.method, test.url)
			}
		}
		eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"auth_required"`) })
		for _, secret := range []string{"nobody", "allmine", "second", "b3Bz"} {
			if strings.Contains(w.log.String()+w.events.String(), secret) {
				t.Errorf("%q is in a log", secret)
			}
		}
	})
}

// TestBasicAuthOfRoute: what stands on one route of one host is asked for there
// alone.
func TestBasicAuthOfRoute(t *testing.T) {
	t.Parallel()
	eachGuarded(t, guardedTenant, func(t *testing.T, w *world, c *http.Client) {
		for url, want := range map[string]int{
			"https://a.example/closed/":            200,
			"https://open.apps.example/":           200,
			"https://open.apps.example/closed/":    401,
			"https://open.apps.example/Closed/x":   401,
			"https://open.apps.example/%63losed":   401,
			"https://open.apps.example/closed%2fx": 400,
		} {
			if response, _ := w.withPassword(c, "GET", url, "", ""); response.StatusCode != want {
				t.Errorf("%s: %d, want %d", url, response.StatusCode, want)
			}
		}
		// Where nobody asks, an application's own passwords pass.
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.Header.Get("Authorization")) })
		if _, body := w.withPassword(c, "GET", "https://open.apps.example/", "x", "y"); body != "Basic eDp5" {
			t.Errorf("the backend gets %q", body)
		}
	})
}

func TestBasicAuthMalformed(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": guardedWhole}, OwnPlane)
	for _, fields := range []string{
		"Authorization: Bearer abc\r\n",
		"Authorization: Basic\r\n",
		"Authorization: Basic ====\r\n",
		"Authorization: Basic b3BzOmFsbG1pbmU=\r\nAuthorization: Basic b3BzOmFsbG1pbmU=\r\n",
		"Proxy-Authorization: Basic b3BzOmFsbG1pbmU=\r\n",
		"Authorization_: Basic b3BzOmFsbG1pbmU=\r\n",
	} {
		answer := ask(t, w.dial("127.0.0.1", "a.example"), "GET / HTTP/1.1\r\nHost: a.example\r\n"+fields+"\r\n")
		if answer.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %d, want 401", fields, answer.StatusCode)
		}
	}
	if n := w.logins().clients.Len(w.server.clock.now()); n != 0 {
		t.Errorf("%d clients have failed without a password", n)
	}
}

// logins returns what acme remembers of passwords.
func (w *world) logins() *logins {
	snap := w.server.snapshot()
	return snap.of(snap.table.Tenant("acme")).logins
}

// TestBasicAuthReload: a new hash counts at once, what a reload leaves alone is
// not asked for again, and nobody's failures are forgiven.
func TestBasicAuthReload(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": guardedWhole}, OwnPlane)
	c := w.client("direct", "127.0.0.1", false)
	status := func(name, password string) int {
		response, _ := w.withPassword(c, "GET", "https://a.example/", name, password)
		return response.StatusCode
	}
	if got := status("ops", "allmine"); got != 200 {
		t.Fatalf("the right password: %d", got)
	}
	status("ops", "wrong")
	w.set("acme", guardedWhole+"timeouts: {idle: 10s}\n")
	if n := w.logins().memory.Len(); n != 1 {
		t.Errorf("%d passwords are remembered after a reload, want 1", n)
	}
	if n := w.logins().clients.Len(w.server.clock.now()); n != 1 {
		t.Errorf("%d clients have failed after a reload, want 1", n)
	}
	w.set("acme", strings.ReplaceAll(guardedWhole, hashOfAllmine, hashOfSecond))
	if got := status("ops", "allmine"); got != 401 {
		t.Errorf("the former password: %d, want 401", got)
	}
	if got := status("ops", "second"); got != 200 {
		t.Errorf("the new password: %d, want 200", got)
	}
}

// TestBasicAuthRevokes: who is no user any more loses what is open.
func TestBasicAuthRevokes(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": guardedWhole}, OwnPlane)
	w.answerWith(echo)
	open := func(name, password string) *websocket.Conn {
		header := http.Header{}
		request := &http.Request{Header: header}
		request.SetBasicAuth(name, password)
		c, _, err := websocket.Dial(t.Context(), "https://a.example/", &websocket.DialOptions{
			HTTPClient: w.client("direct", "127.0.0.1", false), HTTPHeader: header,
		})
		if err != nil {
			t.Fatalf("a WebSocket of %q: %v", name, err)
		}
		t.Cleanup(func() { c.CloseNow() })
		say(t, c)
		return c
	}
	if _, response, err := websocket.Dial(t.Context(), "https://a.example/", &websocket.DialOptions{HTTPClient: w.client("direct", "127.0.0.1", false)}); err == nil || response.StatusCode != 401 {
		t.Errorf("a WebSocket without a password: %v, %v", response, err)
	}
	ops, audit := open("ops", "allmine"), open("audit", "second")
	w.set("acme", guardedWhole+"timeouts: {idle: 10s}\n")
	say(t, ops)
	w.set("acme", strings.ReplaceAll(guardedWhole, "audit:", "auditor:"))
	if _, _, err := audit.Read(t.Context()); err == nil {
		t.Error("the WebSocket of somebody who was removed is open")
	}
	say(t, ops)
	w.set("acme", guardedTenant)
	say(t, ops)
}

// TestBasicAuthLimits: a client that guesses is stopped, others are not.
func TestBasicAuthLimits(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": guardedWhole}, OwnPlane)
	bad := w.client("direct", "127.0.0.1", false)
	status := func(c *http.Client, name, password string) (int, string) {
		response, _ := w.withPassword(c, "GET", "https://a.example/", name, password)
		return response.StatusCode, response.Header.Get("Retry-After")
	}
	if got, _ := status(bad, "ops", "allmine"); got != 200 {
		t.Fatalf("the right password: %d", got)
	}
	last, retry := 0, ""
	guesses := 0
	for ; guesses < failuresOfClientMax+5 && last != http.StatusTooManyRequests; guesses++ {
		last, retry = status(bad, "ops", "guess"+strconv.Itoa(guesses))
	}
	seconds, _ := strconv.Atoi(retry)
	if last != http.StatusTooManyRequests || guesses <= failuresOfClientMax || seconds < 1 || seconds > 15 {
		t.Errorf("guess %d is answered with %d, to come again after %q; want %d of them, then 429", guesses, last, retry, failuresOfClientMax)
	}
	if got, _ := status(bad, "ops", "allmine"); got != 200 {
		t.Errorf("what is remembered is answered with %d", got)
	}
	if got, _ := status(bad, "audit", "second"); got != 429 {
		t.Errorf("another name of that client is answered with %d, want 429", got)
	}
	if got, _ := status(w.client("direct", "127.0.0.2", false), "audit", "second"); got != 200 {
		t.Errorf("another client is answered with %d", got)
	}
	if got, _ := status(w.client("direct", "127.0.0.1", false), "", ""); got != 401 {
		t.Errorf("without a password it is answered with %d", got)
	}
}

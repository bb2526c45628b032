package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"gatehouse/internal/pool"
)

// authService is an auth service of a test, and what it was asked last.
type authService struct {
	*httptest.Server
	mu     sync.Mutex
	asked  int
	last   http.Header
	target string
	answer http.HandlerFunc
}

// newAuthService starts one that admits whoever brings the cookie who, by the
// name in it.
func newAuthService(t testing.TB) *authService {
	t.Helper()
	return newAuthServiceWith(t, nil)
}

// newAuthServiceWith tells seen about connections; it may be nil.
func newAuthServiceWith(t testing.TB, seen func(net.Conn, http.ConnState)) *authService {
	t.Helper()
	a := new(authService)
	a.answer = func(rw http.ResponseWriter, r *http.Request) {
		who, err := r.Cookie("who")
		if err != nil {
			rw.Header().Set("Location", "https://login.example/?to="+r.Header.Get("X-Original-URL"))
			rw.Header().Set("X-Internal", "not for clients")
			rw.WriteHeader(http.StatusFound)
			io.WriteString(rw, "sign in")
			return
		}
		rw.Header().Set("Remote-User", who.Value)
		rw.Header().Set("X-Internal", "not for backends")
		rw.Header().Set("Set-Cookie", "session=longer")
		io.WriteString(rw, "welcome")
	}
	a.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked++
		a.last, a.target = r.Header.Clone(), r.Method+" "+r.RequestURI+" "+r.Host
		answer := a.answer
		a.mu.Unlock()
		answer(rw, r)
	}))
	a.Config.ConnState = seen
	a.Start()
	t.Cleanup(a.Close)
	return a
}

func (a *authService) answerWith(f http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

func (a *authService) seen() (asked int, target string, fields http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked, a.target, a.last
}

const askedTenant = `
hosts: [a.example, open.apps.example]
access: {public: "a test"}
backends: ["{backend}"]
headers: {request: {set: {X-Secret: "of the backend"}, remove: [X-Removed]}}
pass_headers: [Remote_Groups]
routes:
  /in/: {forward_auth: {url: "{auth}/verify?a=b", timeout: 30s, to_backend: [Remote-User, Remote-Groups]}}
`

// eachAsked runs f over HTTP/1.1 on both planes, and over HTTP/2.
func eachAsked(t *testing.T, f func(t *testing.T, w *world, c *http.Client, a *authService)) {
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane, "http2": OwnPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAuthService(t)
			w := newWorldOn(t, map[string]string{"acme": strings.ReplaceAll(askedTenant, "{auth}", a.URL)}, plane)
			f(t, w, w.client("direct", "127.0.0.1", name == "http2"), a)
		})
	}
}

// send makes a request with fields, NAME: VALUE on each line.
func (w *world) send(c *http.Client, method, url, fields string) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(fields) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		request.Header[name] = append(request.Header[name], value)
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

func TestForwardAuthAdmits(t *testing.T) {
	t.Parallel()
	eachAsked(t, func(t *testing.T, w *world, c *http.Client, a *authService) {
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Add("Set-Cookie", "of=backend")
			fmt.Fprintf(rw, "%q %q %q", r.Header["Remote-User"], r.Header["X-Internal"], r.Header["X-Secret"])
		})
		response, body := w.send(c, "PUT", "https://a.example/in/x?y=z", "Cookie: who=ada\nRemote-User: root\nRange: bytes=0-1\nX-Removed: x")
		if response.StatusCode != 200 || body != `["ada"] [] ["of the backend"]` {
			t.Errorf("admitted: %d %s", response.StatusCode, body)
		}
		if got := response.Header["Set-Cookie"]; len(got) != 2 {
			t.Errorf("the cookies are %q; want the backend's and the service's", got)
		}
		_, target, fields := a.seen()
		if want := "GET /verify?a=b " + strings.TrimPrefix(a.URL, "http://"); target != want {
			t.Errorf("the service was asked for %q, want %q", target, want)
		}
		for name, want := range map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example", "X-Forwarded-Method": "PUT",
			"X-Forwarded-Uri": "/in/x?y=z", "X-Original-Method": "PUT", "X-Original-Url": "https://a.example/in/x?y=z",
			"X-Tenant": "acme", "Cookie": "who=ada", "Remote-User": "", "Range": "", "Accept-Encoding": "", "X-Secret": "", "X-Removed": "x",
			"X-Request-Id": response.Header.Get("X-Request-Id"),
		} {
			if got := strings.Join(fields[name], "+"); got != want {
				t.Errorf("the service is told %s: %q, want %q", name, got, want)
			}
		}
		eventually(t, "the time is logged", func() bool { return strings.Contains(w.log.String(), `"auth_ms":`) })
		if asked, _, _ := a.seen(); asked != 1 {
			t.Errorf("the service was asked %d times", asked)
		}
		if _, body := w.send(c, "GET", "https://a.example/", "Remote-User: root"); body != `[] [] ["of the backend"]` {
			t.Errorf("elsewhere the backend gets %s", body)
		}
	})
}

// TestForwardAuthStrips: what a service vouches for never comes from a client,
// whatever the service says and however a client writes it.
func TestForwardAuthStrips(t *testing.T) {
	t.Parallel()
	eachAsked(t, func(t *testing.T, w *world, c *http.Client, a *authService) {
		a.answerWith(func(http.ResponseWriter, *http.Request) {})
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			for name := range r.Header {
				if strings.Contains(strings.ToLower(name), "remote") {
					fmt.Fprint(rw, name)
				}
			}
		})
		for _, field := range []string{"Remote-User: root", "remote-user: root", "Remote-Groups: wheel", "REMOTE-GROUPS: wheel", "Remote_Groups: wheel", "Remote_User: root", "Remote!Groups: wheel"} {
			if response, body := w.send(c, "GET", "https://a.example/in/", field); response.StatusCode != 200 || body != "" {
				t.Errorf("%s: %d, the backend gets %q", field, response.StatusCode, body)
			}
		}
	})
}

// TestForwardAuthExchanges: by what a client proves who it is, a service is asked
// also where it gives the backend another proof.
func TestForwardAuthExchanges(t *testing.T) {
	t.Parallel()
	a := newAuthService(t)
	w := newWorldOn(t, map[string]string{"acme": strings.Replace(strings.ReplaceAll(askedTenant, "{auth}", a.URL),
		"[Remote-User, Remote-Groups]", "[Authorization, Cookie, Remote-User]", 1)}, planeOf(t))
	a.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer outer" || r.Header.Get("Cookie") != "who=ada" || r.Header.Get("Remote-User") != "" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		rw.Header().Set("Authorization", "Bearer inner")
	})
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, "%q %q", r.Header["Authorization"], r.Header["Cookie"])
	})
	response, body := w.send(w.client("direct", "127.0.0.1", false), "GET", "https://a.example/in/", "Authorization: Bearer outer\nCookie: who=ada\nRemote-User: root")
	if response.StatusCode != http.StatusOK || body != `["Bearer inner"] []` {
		t.Errorf("%d, the backend gets %s", response.StatusCode, body)
	}
}

// TestForwardAuthOverdue: a service is not to blame where the request's whole time
// is over before its own.
func TestForwardAuthOverdue(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		total, own string
		want       int
		ejected    int
	}{{"1s", "1m", http.StatusGatewayTimeout, 0}, {"1m", "1s", http.StatusServiceUnavailable, 1}} {
		port := listenOn(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "127.0.0.1", "127.0.0.7")
		dns := &dnsOf{ready: make(chan struct{}), hosts: map[string]string{"auth.internal": "127.0.0.1 127.0.0.7"}}
		close(dns.ready)
		w := newWorldOf(t, &world{finder: dns, tenants: map[string]string{"acme": fmt.Sprintf(`
hosts: [a.example]
access: {public: "a test"}
timeouts: {total: %s}
forward_auth: {url: "http://auth.internal:%s", timeout: %s}
backends: ["{backend}"]
`, test.total, port, test.own)}}, planeOf(t))
		eventually(t, "the name leads to two addresses", func() bool { return len(w.server.Pools("acme")[1].Backends) == 2 })
		var answers []<-chan int
		for range 10 { // five failures in a row of each
			answers = append(answers, w.start(w.client("direct", "127.0.0.1", false), "https://a.example/"))
		}
		for _, answer := range answers {
			if got := <-answer; got != test.want {
				t.Errorf("total %s: %d, want %d", test.total, got, test.want)
			}
		}
		ejected := 0
		for _, b := range w.server.Pools("acme")[1].Backends {
			if b.Standing == pool.Ejected {
				ejected++
			}
		}
		if ejected != test.ejected {
			t.Errorf("total %s: %d addresses of the service are ejected, want %d", test.total, ejected, test.ejected)
		}
	}
}

// TestForwardAuthOwnPage: what a service says of a page that does not go out is
// not said of ours.
func TestForwardAuthOwnPage(t *testing.T) {
	t.Parallel()
	a := newAuthService(t)
	w := newWorldOn(t, map[string]string{"acme": strings.Replace(strings.ReplaceAll(askedTenant, "{auth}", a.URL),
		"to_backend:", "to_client: [Content-Type, Content-Encoding], to_backend:", 1)}, planeOf(t))
	for _, length := range []int{0, copyRoom + 1, 10} {
		a.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			rw.Header().Set("Content-Encoding", "br")
			rw.WriteHeader(http.StatusForbidden)
			io.WriteString(rw, strings.Repeat("x", length))
		})
		kind, coding := "text/html; charset=utf-8", ""
		if length == 10 {
			kind, coding = "application/json", "br"
		}
		response, _ := w.send(w.client("direct", "127.0.0.1", false), "GET", "https://a.example/in/", "")
		if got := response.Header.Values("Content-Type"); len(got) != 1 || got[0] != kind || response.Header.Get("Content-Encoding") != coding {
			t.Errorf("a page of %d bytes: Content-Type %q, Content-Encoding %q", length, got, response.Header.Get("Content-Encoding"))
		}
	}
}

// TestForwardAuthLevels: of two services that say the same field, the narrower
// level's is heard.
func TestForwardAuthLevels(t *testing.T) {
	t.Parallel()
	wide, narrow := newAuthService(t), newAuthService(t)
	say := func(user, groups string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Add("Remote-User", user)
			rw.Header()["X-Groups"] = strings.Fields(groups)
		}
	}
	wide.answerWith(say("wide", "staff"))
	narrow.answerWith(say("narrow", ""))
	w := newWorldOn(t, map[string]string{"acme": fmt.Sprintf(`
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
forward_auth: {url: %q, timeout: 30s, to_backend: [Remote-User, X-Groups]}
routes: {/in/: {forward_auth: {url: %q, timeout: 30s, to_backend: [remote-user, X-Groups]}}}
`, wide.URL, narrow.URL)}, planeOf(t))
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, r.Header["Remote-User"], r.Header["X-Groups"])
	})
	for path, want := range map[string]string{"/": "[wide] [staff]", "/in/": "[narrow] [staff]"} {
		if _, body := w.send(w.client("direct", "127.0.0.1", false), "GET", "https://a.example"+path, ""); body != want {
			t.Errorf("%s: the backend hears %s, want %s", path, body, want)
		}
	}
}

func TestForwardAuthRefuses(t *testing.T) {
	t.Parallel()
	eachAsked(t, func(t *testing.T, w *world, c *http.Client, a *authService) {
		w.answerWith(func(http.ResponseWriter, *http.Request) { t.Error("a backend was asked") })
		response, body := w.send(c, "GET", "https://a.example/IN/x", "")
		if response.StatusCode != 302 || body != "sign in" || response.Header.Get("Location") != "https://login.example/?to=https://a.example/IN/x" ||
			response.Header.Get("X-Internal") != "" || response.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %q %v", response.StatusCode, body, response.Header)
		}
		if response, body := w.send(c, "HEAD", "https://a.example/in/", ""); response.StatusCode != 302 || body != "" {
			t.Errorf("HEAD: %d %q", response.StatusCode, body)
		}
		if response, _ := w.send(c, "GET", "https://a.example/in/%253bx", ""); response.StatusCode != 400 {
			t.Errorf("a path that two programs could read differently: %d", response.StatusCode)
		}
		var ref string
		for _, test := range []struct {
			status, want int
			fields, body string
			says         string // what the body has; "" for ours, with the ref
		}{
			{401, 401, "Www-Authenticate: Bearer", `{"who": "are you"}`, "are you"},
			{403, 403, "Content-Type: text/plain", "", ""},
			{403, 403, "Cache-Control: private", strings.Repeat("x", copyRoom), "xxx"},
			{403, 403, "", strings.Repeat("x", copyRoom+1), ""},
			{307, 307, "Location: /login", "x", "x"},
			{303, 503, "", "x", ""},
			{304, 503, "", "", ""},
			{300, 503, "Location: /login", "", ""},
			{400, 503, "", "x", ""},
			{404, 503, "", "x", ""},
			{500, 503, "", "x", ""},
			{503, 503, "Retry-After: 7000", "x", ""},
		} {
			a.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
				name, value, _ := strings.Cut(test.fields, ": ")
				if name != "" {
					rw.Header().Set(name, value)
				}
				rw.WriteHeader(test.status)
				io.WriteString(rw, test.body)
			})
			response, body := w.send(c, "GET", "https://a.example/in/", "Cookie: who=ada")
			says := test.says
			if ref = response.Header.Get("X-Request-Id"); says == "" {
				says = ref
			}
			if response.StatusCode != test.want || !strings.Contains(body, says) || len(response.Header.Values("Cache-Control")) != 1 {
				t.Errorf("%d %s: %d, %d bytes, %v; want %d and %q", test.status, test.fields, response.StatusCode, len(body), response.Header, test.want, says)
			}
			if r := receiptOf(t, w.server, ref); r.Limit != "forward_auth" || r.Level != `route "/in/"` || r.Vouching <= 0 || test.want == 503 && r.Detail == "" {
				t.Errorf("%d: what is remembered of it is %+v", test.status, r)
			}
			if test.want == 503 && response.Header.Get("Retry-After") != retryAfter {
				t.Errorf("%d: Retry-After %q", test.status, response.Header.Get("Retry-After"))
			}
		}
		eventually(t, "the reasons are logged", func() bool {
			return strings.Contains(w.log.String(), `"auth_required"`) && strings.Contains(w.log.String(), `"auth_unavailable"`)
		})
	})
}

// silent reports whether an auth service says nothing more behind an answer, and
// leaves the connection open.
func silent(answer string) bool { return answer == "" || strings.HasSuffix(answer, "...") }

// TestForwardAuthFailsClosed: a service that says nothing, nothing in time, or
// nothing that can be understood, admits nobody.
func TestForwardAuthFailsClosed(t *testing.T) {
	t.Parallel()
	says := make(chan string, 1)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	go func() {
		for {
			c, err := socket.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = http.ReadRequest(bufio.NewReader(c))
				text := <-says
				io.WriteString(c, text)
				if silent(text) {
					io.Copy(io.Discard, c) // silent until it is left
				}
			}()
		}
	}()
	patient := strings.ReplaceAll(askedTenant, "{auth}", "http://"+socket.Addr().String())
	hurried := strings.Replace(patient, "timeout: 30s", "timeout: 500ms", 1)
	w := newWorldOn(t, map[string]string{"acme": patient}, OwnPlane)
	c := w.client("direct", "127.0.0.1", false)
	for answer, want := range map[string]int{
		"":                                   503,
		"HTTP/1.1 200 OK\r\nX-Slow: ...":     503,
		"HTTP/1.1 20":                        503,
		"SSH-2.0-OpenSSH\r\n":                503,
		"HTTP/1.1 101 Switching\r\n\r\n":     503,
		"HTTP/1.1 100 Continue\r\n\r\n":      503,
		"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n": 503,
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n":                 503,
		strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 5) + "HTTP/1.1 200 OK\r\n\r\n":      503,
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", headRoom) + "\r\n\r\n":               503,
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n":                   200,
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort":                                200,
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nshort":                         403,
		"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n": 403,
		"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\nzz\r\n":    403,
		"HTTP/1.0 403 Forbidden\r\n\r\nuntil the end":                                       403,
	} {
		// A connection that ends without a byte is asked once more, on a fresh one.
		for len(says) > 0 {
			<-says
		}
		says <- answer
		if w.set("acme", patient); silent(answer) {
			w.set("acme", hurried)
		}
		if response, body := w.send(c, "GET", "https://a.example/in/", "Cookie: who=ada"); response.StatusCode != want || body == "" {
			t.Errorf("%.60q: %d %q, want %d", answer, response.StatusCode, body, want)
		}
	}
	socket.Close()
	if response, _ := w.send(c, "GET", "https://a.example/in/", ""); response.StatusCode != 503 {
		t.Errorf("nobody there: %d, want 503", response.StatusCode)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(w.events.String(), "an auth service gave no verdict") })
}

// TestForwardAuthKeepsConnections: one question after the other goes over one
// connection, and one that has died is replaced.
func TestForwardAuthKeepsConnections(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	a := newAuthServiceWith(t, func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	})
	w := newWorldOn(t, map[string]string{"acme": strings.ReplaceAll(askedTenant, "{auth}", a.URL)}, OwnPlane)
	c := w.client("direct", "127.0.0.1", false)
	for _, fields := range []string{"Cookie: who=ada", "", "Cookie: who=bob", "Cookie: who=ada", ""} {
		w.send(c, "GET", "https://a.example/in/", fields)
	}
	w.set("acme", w.tenants["acme"]+"timeouts: {idle: 10s}\n")
	if response, _ := w.send(c, "GET", "https://a.example/in/", "Cookie: who=ada"); response.StatusCode != 200 || opened.Load() != 1 {
		t.Errorf("%d over %d connections, want 200 over one", response.StatusCode, opened.Load())
	}
	a.CloseClientConnections()
	if response, _ := w.send(c, "GET", "https://a.example/in/", "Cookie: who=ada"); response.StatusCode != 200 {
		t.Errorf("after the connection has died: %d", response.StatusCode)
	}
}

// TestForwardAuthRevokes: what was admitted goes on for as long as the same
// services are asked.
func TestForwardAuthRevokes(t *testing.T) {
	t.Parallel()
	a := newAuthService(t)
	text := strings.ReplaceAll(askedTenant, "{auth}", a.URL)
	w := newWorldOn(t, map[string]string{"acme": text}, OwnPlane)
	w.answerWith(echo)
	open := func(path string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), "https://a.example"+path, &websocket.DialOptions{
			HTTPClient: w.client("direct", "127.0.0.1", false), HTTPHeader: http.Header{"Cookie": {"who=ada"}},
		})
	}
	in, _, err := open("/in/")
	if err != nil {
		t.Fatal(err)
	}
	defer in.CloseNow()
	out, _, err := open("/out/")
	if err != nil {
		t.Fatal(err)
	}
	defer out.CloseNow()
	say(t, in)
	w.set("acme", text+"timeouts: {idle: 10s}\n")
	say(t, in)
	say(t, out)
	w.set("acme", strings.Replace(text, "/verify?a=b", "/verify?a=c", 1))
	if _, _, err := in.Read(t.Context()); err == nil {
		t.Error("a WebSocket goes on that another service has to admit")
	}
	say(t, out)
	w.set("acme", text+"forward_auth: {url: \""+a.URL+"/all\", to_backend: [X-Name]}\n")
	if _, _, err := out.Read(t.Context()); err == nil {
		t.Error("a WebSocket goes on that nobody was asked about")
	}
	asked, _, _ := a.seen()
	if in, _, err = open("/in/"); err != nil {
		t.Fatal(err)
	}
	defer in.CloseNow()
	say(t, in)
	if again, target, _ := a.seen(); again != asked+2 || !strings.HasPrefix(target, "GET /verify?a=b ") {
		t.Errorf("two levels ask %d times, the last time for %q", again-asked, target)
	}
}

// TestForwardAuthAddress: the service's address is judged when it is dialled, as
// any backend's.
func TestForwardAuthAddress(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": twoTenants["acme"]}, OwnPlane)
	_, port, _ := net.SplitHostPort(w.addr("direct"))
	w.set("acme", strings.ReplaceAll(askedTenant, "{auth}", "http://localhost:"+port))
	if response, _ := w.send(w.client("direct", "127.0.0.1", false), "GET", "https://a.example/in/", ""); response.StatusCode != 503 {
		t.Errorf("asking ourselves: %d, want 503", response.StatusCode)
	}
	eventually(t, "it is logged", func() bool { return strings.Contains(w.events.String(), "our own listener") })
}

package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const leadingTenant = `
hosts: [a.example, {host: open.apps.example, redirect: {to: "https://a.example", status: 308}}]
access: {allow: [127.0.0.1]}
backends: ["{backend}"]
limits: {client: {requests: 1/h, burst: 100}}
routes:
  /docs/: {redirect: "https://docs.example/v2/"}
  /own/: {redirect: {to: /new/, status: 303}}
  /closed/: {redirect: "https://secret.example", basic_auth: {users: {ops: "` + hashOfAllmine + `"}}}
  /api/: {rewrite: strip_prefix}
  /v1/: {rewrite: {prefix: /v2/}}
  /spa/: {rewrite: {path: /index.html}}
`

func TestRedirect(t *testing.T) {
	t.Parallel()
	eachGuarded(t, leadingTenant, func(t *testing.T, w *world, c *http.Client) {
		w.answerWith(func(http.ResponseWriter, *http.Request) { t.Error("a backend was asked") })
		for _, test := range []struct {
			method, url, name string
			status            int
			location          string
		}{
			{"GET", "https://a.example/docs/x?y=z", "", 307, "https://docs.example/v2/x?y=z"},
			{"HEAD", "https://a.example/docs", "", 307, "https://docs.example/v2/"},
			{"POST", "https://a.example/own/x", "", 303, "https://a.example:8443/new/x"},
			{"GET", "https://open.apps.example/docs//evil.example", "", 400, ""},
			{"GET", "https://open.apps.example/docs/@evil.example", "", 308, "https://a.example/docs/@evil.example"},
			{"GET", "https://a.example/closed/", "", 401, ""},
			{"GET", "https://a.example/closed/x", "ops", 307, "https://secret.example/x"},
		} {
			response, body := w.withPassword(c, test.method, test.url, test.name, "allmine")
			if response.StatusCode != test.status || response.Header.Get("Location") != test.location {
				t.Errorf("%s %s: %d to %q; want %d to %q", test.method, test.url, response.StatusCode, response.Header.Get("Location"), test.status, test.location)
			}
			if ref := response.Header.Get("X-Request-Id"); ref == "" || test.method != "HEAD" && !strings.Contains(body, ref) {
				t.Errorf("%s %s: the page names no ref %q: %q", test.method, test.url, ref, body)
			}
		}
	})
}

// TestRedirectUnread: a body that nobody reads ends the connection and nothing
// else.
func TestRedirectUnread(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": leadingTenant}, OwnPlane)
	response := ask(t, w.dial("127.0.0.1", "a.example"), "POST /docs/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\n")
	if response.StatusCode != http.StatusTemporaryRedirect || !response.Close {
		t.Errorf("%d, close %v; want 307 and the end", response.StatusCode, response.Close)
	}
}

func TestRewrite(t *testing.T) {
	t.Parallel()
	eachGuarded(t, leadingTenant, func(t *testing.T, w *world, c *http.Client) {
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			if to := r.URL.Query().Get("to"); to != "" {
				rw.Header().Set("Location", to)
			}
			io.WriteString(rw, r.RequestURI+" "+r.Header.Get("X-Forwarded-Prefix"))
		})
		for _, test := range []struct{ path, asked, to, location string }{
			{"/api/a%20b/?c", "/a%20b/?c /api", "", ""},
			{"/api", "/ /api", "", ""},
			{"/%61pi/x", "/x /api", "", ""},
			{"/v1/x", "/v2/x ", "", ""},
			{"/spa/x/y?z", "/index.html?z ", "", ""},
			{"/other?x", "/other?x ", "", ""},
			{"/api/x", "", "/login?next=/", "/api/login?next=/"},
			{"/api/x", "", "/api/login", "/api/login"},
			{"/api/x", "", "/apis", "/api/apis"},
			{"/api/x", "", "http://a.example/login", "http://a.example/api/login"},
			{"/api/x", "", "HTTPS://A.example/login", "HTTPS://A.example/api/login"},
			{"/api/x", "", "https://a.example.evil.example/login", "https://a.example.evil.example/login"},
			{"/api/x", "", "//evil.example/", "//evil.example/"},
			{"/api/x", "", "login", "login"},
			{"/v1/x", "", "/v2/login#top", "/v1/login#top"},
			{"/v1/x", "", "/v2", "/v1"},
			{"/v1/x", "", "/v22", "/v22"},
			{"/v1/x", "", "/v1/login", "/v1/login"},
			{"/spa/x", "", "/login", "/login"},
			{"/other", "", "/login", "/login"},
		} {
			url := "https://a.example" + test.path
			if test.to != "" {
				url += "?to=" + strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(test.to, "?", "%3f"), "#", "%23"), "&", "%26")
			}
			response, body := w.withPassword(c, "GET", url, "", "")
			if test.to == "" && body != test.asked || response.Header.Get("Location") != test.location {
				t.Errorf("%s: the backend is asked for %q, and %q becomes %q; want %q and %q", url, body, test.to, response.Header.Get("Location"), test.asked, test.location)
			}
		}
		eventually(t, "the path that came is logged", func() bool { return strings.Contains(w.log.String(), `"path":"/spa/x/y"`) })
	})
}

// TestRewriteAmbiguous: what is behind a prefix never begins like an authority.
func TestRewriteAmbiguous(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, map[string]string{"acme": `
hosts: [a.example]
access: {allow: [127.0.0.1]}
backends: ["{backend}"]
paths: {allow: [double_slash, encoded_slash]}
routes: {/api/: {rewrite: strip_prefix}}
`}, OwnPlane)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, r.RequestURI) })
	c := w.dial("127.0.0.1", "a.example")
	for path, want := range map[string]int{"/api//evil.example/": 400, "/api/%2Fevil.example/": 400, "/api/x//y": 200, "//api": 200} {
		if response := ask(t, c, get11("a.example", path)); response.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, response.StatusCode, want)
		}
	}
}

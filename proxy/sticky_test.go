package proxy

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/token"
)

// stickyTenant has backends and rules besides.
func stickyTenant(rules string, backends ...string) string {
	return "hosts: [a.example]\naccess: {public: test}\n" + rules + "\nbackends: [\"http://" + strings.Join(backends, "\", \"http://") + "\"]\n"
}

// bring returns the field that brings a cookie back.
func bring(c *http.Cookie) string { return "Cookie: theme=dark; " + c.Name + "=" + c.Value + "\r\n" }

// placed is where clients were placed: what each brings back, by who answers it.
func placed(t *testing.T, g *gateway, want int) map[string]string {
	t.Helper()
	put := map[string]string{}
	for range 50 {
		name, cookies := setCookies(t, g, "")
		if len(cookies) != 1 {
			t.Fatalf("cookies %v, want one", cookies)
		}
		if put[name] = bring(cookies[0]); len(put) == want {
			return put
		}
	}
	t.Fatalf("clients were placed at %d backends, want %d", len(put), want)
	return nil
}

// A client stays where it was placed, over reloads and restarts, and nobody can
// read or write where that is.
func TestSticky(t *testing.T) {
	t.Parallel()
	a, b, c := namedBackend(t, "a", nil), namedBackend(t, "b", nil), namedBackend(t, "c", nil)
	signing := setup{signing: token.NewKey()}
	g := startGateway(t, stickyTenant("sticky: {cookie: place, max_age: 1h}", a, b, c), signing)
	_, cookies := setCookies(t, g, "")
	got := cookies[0]
	if got.Name != "place" || !got.Secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.MaxAge != 3600 || got.Domain != "" {
		t.Fatalf("cookie %s", got.Raw)
	}
	put := placed(t, g, 3)
	stay := func(g *gateway, why string) {
		t.Helper()
		for name, cookie := range put {
			for range 5 {
				if got, cookies := setCookies(t, g, cookie); got != name || len(cookies) != 0 {
					t.Errorf("%s: who was placed at %s gets %s and %d cookies, want none", why, name, got, len(cookies))
				}
			}
		}
	}
	stay(g, "as it was")
	g.Apply(compileTable(t, stickyTenant("timeouts: {idle: 10s}\nsticky: place", c, b, a), setup{}))
	stay(g, "after a reload")
	stay(startGateway(t, stickyTenant("sticky: place", b, a, c), signing), "after a restart")
	foreign := startGateway(t, stickyTenant("sticky: place", a, b, c), setup{})
	if _, cookies := setCookies(t, foreign, put["a"]); len(cookies) != 1 || cookies[0].MaxAge != 0 {
		t.Errorf("a cookie under another key: %v, want one for the browser's session", cookies)
	}
	forged := strings.Replace(put["a"], "place=", "place=A", 1)
	if _, cookies := setCookies(t, g, forged); len(cookies) != 1 {
		t.Errorf("a forged cookie: %v, want a new one", cookies)
	}
}

// Whose backend fails, is drained or ejected is placed anew, and stays there.
func TestStickyIsPlacedAnew(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	a, b := namedBackend(t, "a", nil), namedBackend(t, "b", &status)
	g := startGateway(t, stickyTenant("sticky: place\nejection: 2", a, b), setup{})
	put := placed(t, g, 2)
	status.Store(503)
	for range 2 {
		if got, cookies := setCookies(t, g, put["b"]); got != "b" || len(cookies) != 0 {
			t.Errorf("while b answers 503: %s and %v", got, cookies)
		}
	}
	got, cookies := setCookies(t, g, put["b"])
	if got != "a" || len(cookies) != 1 {
		t.Fatalf("after b is ejected: %s and %v, want a and a cookie", got, cookies)
	}
	if got, again := setCookies(t, g, bring(cookies[0])); got != "a" || len(again) != 0 {
		t.Errorf("with the new cookie: %s and %v, want a and none", got, again)
	}

	g = startGateway(t, stickyTenant("sticky: place", a, refusedPort(t)), setup{})
	for range 4 {
		if got, cookies := setCookies(t, g, ""); got != "a" || len(cookies) != 1 {
			t.Errorf("beside one that refuses: %s and %v, want a and a cookie", got, cookies)
		}
	}
	drained := strings.Replace(stickyTenant("sticky: place", a, b), "\"http://"+a+"\"", "{url: \"http://"+a+"\", state: drain}", 1)
	status.Store(0)
	g = startGateway(t, stickyTenant("sticky: place", a, b), setup{})
	put = placed(t, g, 2)
	g.Apply(compileTable(t, drained, setup{}))
	if got, cookies := setCookies(t, g, put["a"]); got != "b" || len(cookies) != 1 {
		t.Errorf("from a drained backend: %s and %v, want b and a cookie", got, cookies)
	}
}

// Routes with different backends share a cookie, and one is not forgotten for the
// other; what fails places nobody, and neither does what caches hand on.
func TestStickyCookieIsShared(t *testing.T) {
	t.Parallel()
	a, b, c, d := namedBackend(t, "a", nil), namedBackend(t, "b", nil), namedBackend(t, "c", nil), namedBackend(t, "d", nil)
	g := startGateway(t, stickyTenant("sticky: place", a, b)+fmt.Sprintf("routes: {/r/: {backends: [\"http://%s\", \"http://%s\"]}}\n", c, d), setup{})
	first, cookies := setCookies(t, g, "")
	cookie := bring(cookies[0])
	get := func(path string) (string, []*http.Cookie) {
		conn := g.dial(t)
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		resp := ask(t, conn, "GET "+path+" HTTP/1.1\r\nHost: a.example\r\n"+cookie+"\r\n")
		return bodyOf(resp), resp.Cookies()
	}
	second, cookies := get("/r/")
	if len(cookies) != 1 {
		t.Fatalf("cookies %v, want one", cookies)
	}
	cookie = bring(cookies[0])
	for range 4 {
		for path, want := range map[string]string{"/": first, "/r/": second} {
			if got, cookies := get(path); got != want || len(cookies) != 0 {
				t.Errorf("%s: %s and %v, want %s and no cookie", path, got, cookies, want)
			}
		}
	}
}

// A cookie that is full forgets a place that nobody knows any more, or else the one
// that it had first.
func TestPlacesAreBounded(t *testing.T) {
	nobody := func(uint64) bool { return false }
	add := func(b *placesBrought, place uint64, known func(uint64) bool) {
		value := b.with(place, nobody, known, nil)
		b.n = 0
		for ; len(value) > 0; value = value[placeBytes:] {
			b.list[b.n] = binary.BigEndian.Uint64(value)
			b.n++
		}
	}
	var b placesBrought
	for place := range uint64(placesMost + 3) {
		add(&b, place+1, func(uint64) bool { return true })
	}
	if b.n != placesMost || b.list[0] != 4 || b.list[placesMost-1] != placesMost+3 {
		t.Errorf("places %v, want the last %d", b.all(), placesMost)
	}
	add(&b, 100, func(place uint64) bool { return place != 6 })
	if got := b.all(); len(got) != placesMost || slices.Contains(got, 6) || got[0] != 4 || got[placesMost-1] != 100 {
		t.Errorf("places %v, want all but 6, and 100", got)
	}
}

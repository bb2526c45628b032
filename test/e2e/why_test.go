package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestWhy: whoever quotes a ref is told what became of the request, after a reload as well.
func TestWhy(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	refOf := func(from, path string, want int) string {
		t.Helper()
		answer, err := w.client(t, from).Get(w.url("acme.example", path))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("GET %s from %s = %d, want %d", path, from, answer.StatusCode, want)
		}
		return answer.Header.Get("X-Request-Id")
	}
	why := func(ref string, words ...string) {
		t.Helper()
		got := w.gatehouse(t, "why", ref)
		for _, word := range words {
			if got.code != 0 || !strings.Contains(got.stdout, word) {
				t.Errorf("why = %d, %q lacks %q\n%s", got.code, got.stdout, word, got.stderr)
			}
		}
	}
	backend := strings.TrimPrefix(w.acme.url(), "http://")
	fine := refOf(clientOfAcme, "/reports", http.StatusOK)
	why(fine, "GET https://acme.example", "/reports from 127.0.0.2\n", ", tenant acme\n", "access       pass    tenant \"acme\": allowed by 127.0.0.2",
		"backend      pass    "+backend+" answered", "verdict: forward: the client was answered 200\n")
	stranger := refOf(stranger, "/", http.StatusForbidden)
	why(strings.ToUpper(stranger), "access       refuse", "verdict: refuse ip_not_allowed: the client was answered 403\n")

	w.acme.kill()
	dead := refOf(clientOfAcme, "/", http.StatusBadGateway)
	why(dead, "backend      fail    "+backend+" was not reached: connection refused", "verdict: refuse backend_connect")

	w.write(t, "tenants/acme.yaml", strings.Replace(acmeText(w.acme.url()), "127.0.0.4", "127.0.0.4, 127.0.0.5", 1))
	w.reload(t)
	why(stranger, "access       pass", "note: these gates are those of generation 2, whose verdict is forward; generation 1 judged", "verdict: refuse ip_not_allowed")

	var told struct {
		Ref, Verdict string
		Backends     []struct{ Backend string }
	}
	got := w.gatehouse(t, "why", fine, "--json")
	if err := json.Unmarshal([]byte(got.stdout), &told); err != nil || told.Ref != fine || told.Verdict != "forward" || told.Backends[0].Backend != backend {
		t.Errorf("why --json = %+v, %v", told, err)
	}
	if got := w.gatehouse(t, "why", "aaaaaaaaaaaaaaaa"); got.code != 1 || !strings.Contains(got.stderr, "is remembered") {
		t.Errorf("why of an unknown ref = %d, %q", got.code, got.stderr)
	}
}

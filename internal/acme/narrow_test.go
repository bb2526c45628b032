package acme

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// TestNarrowedChallenges: an order answers only challenges that DNS and CAA
// leave, and is not placed where that is none.
func TestNarrowedChallenges(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	e := w.startEngine(t, store.NewMem(), s)
	var mu sync.Mutex
	used := map[string]bool{}
	proxy.Intercept(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.HasPrefix(r.URL.Path, acmetest.Challenge) {
			mu.Lock()
			used["http-01"] = used["http-01"] || e.challenges.http.Load() != nil
			used["tls-alpn-01"] = used["tls-alpn-01"] || e.challenges.alpn.Load() != nil
			mu.Unlock()
		}
		return false
	})
	req := ask(s, "narrowed.hosted.example")
	req.Challenges = []string{"tls-alpn-01"}
	mustObtain(t, e, req)
	if used["http-01"] || !used["tls-alpn-01"] {
		t.Errorf("used %v, want tls-alpn-01 alone", used)
	}
	orders := proxy.Orders()
	req = ask(s, "closed.hosted.example")
	req.Challenges = []string{"dns-01"}
	_, err := e.obtain(t.Context(), req)
	if p := wantProblem(t, err, causeHost, ""); !strings.Contains(p.Error(), "no challenge is permitted") || proxy.Orders() != orders {
		t.Errorf("%v after %d orders", p, proxy.Orders()-orders)
	}
}

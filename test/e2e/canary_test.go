package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// release is an application of which a new version is tried: it answers with its name and a status, and remembers
// the copies that it was sent.
type release struct {
	*httptest.Server
	status atomic.Int32
	copies atomic.Int32
}

func startRelease(t *testing.T, name string) *release {
	t.Helper()
	r := new(release)
	r.status.Store(http.StatusOK)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("X-Mirrored") == "1" && q.Header.Get("X-Tenant") == "acme" {
			r.copies.Add(1)
		}
		w.WriteHeader(int(r.status.Load()))
		_, _ = io.WriteString(w, name)
	}))
	t.Cleanup(r.Close)
	return r
}

// answers counts who answers n requests, over both protocols.
func (w *world) answers(t *testing.T, n int) map[string]int {
	t.Helper()
	count := make(map[string]int)
	clients := []*http.Client{w.client(t, clientOfAcme), w.client(t, clientOfAcme, "http/1.1")}
	for i := range n {
		r, err := clients[i%2].Get(w.url("acme.example", "/"))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		count[fmt.Sprintf("%d %s", r.StatusCode, strings.TrimSpace(string(text)))]++
	}
	return count
}

// TestCanary: a tenant moves to another pool by way of a canary. One that fails is given up, also over a restart;
// one that is not there costs no request; the mirror sees copies, and nobody waits for it.
func TestCanary(t *testing.T) {
	for _, plane := range []string{"own", "standard"} {
		t.Run(plane, func(t *testing.T) {
			t.Parallel()
			testCanary(t, plane)
		})
	}
}

func testCanary(t *testing.T, plane string) {
	w := newWorld(t)
	text, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "gatehouse.yaml", string(text)+"data_plane: "+plane+"\n")
	blue, green := startRelease(t, "blue"), startRelease(t, "green")
	tenant := func(beside string) string {
		return acmeText("pool:blue") + fmt.Sprintf("pools: {blue: {backends: [%q]}, green: {backends: [%q]}}\n", blue.URL, green.URL) + beside
	}
	canary := func(weight int) string {
		return tenant(fmt.Sprintf("canary: {backends: pool:green, weight: %d%%, abort_if: {errors: 50%%, of: 10}}\n", weight))
	}
	w.write(t, "tenants/acme.yaml", canary(100))
	green.status.Store(http.StatusInternalServerError)
	p := w.start(t)
	if got := w.answers(t, 20); got["500 green"] != 10 || got["200 blue"] != 10 {
		t.Fatalf("answers %v, want ten of each until the canary is given up", got)
	}
	w.gatehouse(t, "status").has(t, "pool:green", "aborted", "10 of 10 requests failed")
	p.stop()
	p = w.start(t)
	if got := w.answers(t, 10); got["200 blue"] != 10 {
		t.Errorf("after a restart: answers %v, want ten of blue", got)
	}
	green.status.Store(http.StatusOK)
	w.write(t, "tenants/acme.yaml", canary(99))
	w.reload(t)
	if got := w.answers(t, 40); got["200 green"] < 20 || got["200 blue"]+got["200 green"] != 40 {
		t.Errorf("after it was written otherwise: answers %v, want nearly all of green", got)
	}
	green.CloseClientConnections()
	green.Close()
	if got := w.answers(t, 40); got["200 blue"] != 40 {
		t.Errorf("while the canary is down: answers %v, want blue", got)
	}

	shadow := startRelease(t, "shadow")
	w.write(t, "tenants/acme.yaml", tenant(fmt.Sprintf("mirror: {backends: [%q]}\n", shadow.URL)))
	w.reload(t)
	if got := w.answers(t, 20); got["200 blue"] != 20 || blue.copies.Load() != 0 {
		t.Errorf("beside a mirror: answers %v, want blue", got)
	}
	eventually(t, 10*time.Second, "the copies arrive", func() bool { return shadow.copies.Load() == 20 })
	p.stop()
}

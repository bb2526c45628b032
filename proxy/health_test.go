package proxy

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"gatehouse/internal/metrics"
)

// checkedBackend is a backend whose check can be made to fail; the rest it serves.
func checkedBackend(t testing.TB, name string, broken *atomic.Bool) string {
	return statusBackend(t, name, func(r *http.Request) int {
		if r.URL.Path == "/healthz" && broken.Load() {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
}

// A backend whose check fails gets no request, and requests again when it
// succeeds; where all fail, that is said. Each transition counts. It takes three
// failures: one check may be late on a machine that is busy.
func TestHealth(t *testing.T) {
	t.Parallel()
	var brokenA, brokenB atomic.Bool
	const health = "health: {path: /healthz, every: 500ms, rise: 1, fall: 3}\n"
	g := startGateway(t, tenantWith(health,
		checkedBackend(t, "a", &brokenA), checkedBackend(t, "b", &brokenB)), setup{})
	until := func(want string) {
		t.Helper()
		eventually(t, want, func() bool { return poolStatus(g) == want })
	}
	until("up up")
	brokenA.Store(true)
	until("down up")
	for range 4 {
		if status, name := whoAnswers(t, g, ""); status != 200 || name != "b" {
			t.Errorf("%d by %s, want b", status, name)
		}
	}
	brokenB.Store(true)
	until("down down")
	if status, _ := whoAnswers(t, g, ""); status != http.StatusServiceUnavailable {
		t.Errorf("all are down: %d, want 503", status)
	}
	series := func(state string) string {
		return `gatehouse_pool_backends{route="/",state="` + state + `",tenant="acme"}`
	}
	if up, down := counter(t, g.metrics, series("up")), counter(t, g.metrics, series("down")); up != 0 || down != 2 {
		t.Errorf("metrics: %v up, %v down; want 0 and 2", up, down)
	}
	brokenA.Store(false)
	until("up down")
	// A reload that leaves the check alone leaves what it has found out.
	g.Apply(compileTable(t, tenantWith(health+"balance: least_requests\n",
		addressOf(g, 0), addressOf(g, 1)), setup{}))
	if got := poolStatus(g); got != "up down" {
		t.Errorf("after a reload: %s", got)
	}
	brokenB.Store(false)
	until("up up")
	eventually(t, "as many transitions count to up as to down, two at least", func() bool {
		up := counter(t, g.metrics, `gatehouse_backend_transitions_total{tenant="acme",to="up"}`)
		return up >= 2 && up == counter(t, g.metrics, `gatehouse_backend_transitions_total{tenant="acme",to="down"}`)
	})
}

func addressOf(g *gateway, i int) string {
	run := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	return run.pools[0].Plan().Backends[i].Address()
}

// Many routes do not make many series.
func TestPoolSeriesAreBounded(t *testing.T) {
	set := metrics.New()
	set.Tenant("acme").Pools(func() (list []metrics.PoolBackends) {
		for i := range 1000 {
			list = append(list, metrics.PoolBackends{Route: fmt.Sprint("/", i), State: "up", Count: 2})
		}
		return list
	})
	if got := counter(t, set, `gatehouse_pool_backends{route="other",state="up",tenant="acme"}`); got != 1500 {
		t.Errorf("%v of other routes, want 1500", got)
	}
}

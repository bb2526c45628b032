package proxy

import (
	"testing"
)

// TestStats: what is open is counted under its tenant, and everything that was
// open is given back in the end.
func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	talking := w.talk("127.0.0.1", "https://a.example/ws")
	idle := w.dial("127.0.0.1", "a.example")
	other := w.dial("127.0.0.1", "b.example")
	eventually(t, "three connections count", func() bool {
		stats := w.server.Stats().Tenants
		return stats["acme"] == TenantStats{Connections: 2, InFlight: 1} && stats["globex"] == TenantStats{Connections: 1}
	})
	if n := counter(t, w.metrics, `gatehouse_tenant_connections{tenant="acme"}`); n != 2 {
		t.Errorf("the gauge of acme's connections shows %v, want 2", n)
	}
	talking.CloseNow()
	idle.Close()
	other.Close()
	eventually(t, "nothing counts", func() bool { return len(w.server.Stats().Tenants) == 0 })
	eventually(t, "no place is held", func() bool { return w.server.means.taken(connections) == 0 })
	for _, series := range []string{
		`gatehouse_tenant_connections{tenant="acme"}`,
		`gatehouse_requests_in_flight{tenant="acme"}`,
		`gatehouse_connections{listener="` + w.addr("direct") + `"}`,
	} {
		eventually(t, series+" is 0 in the end", func() bool { return counter(t, w.metrics, series) == 0 })
	}
	if n := w.server.budget.clients.Len(); n != 0 {
		t.Errorf("%d clients without connections are remembered", n)
	}
}

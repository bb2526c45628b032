package acme

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/metrics"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		set := metrics.New()
		k.m.o.Metrics = set.ACME()
		k.ca.lifetime = 144 * time.Hour
		k.m.Configure(testSettings())
		k.m.SetHosts(append(fleet("acme", 2), fleet("globex", 1)...))
		k.run()
		settle(2 * time.Minute)
		wantMetrics(t, set,
			`gatehouse_acme_hosts{state="valid"} 3`,
			`gatehouse_acme_hosts{state="failed"} 0`,
			`gatehouse_acme_orders_total{ca="one",result="issued"} 3`,
			`gatehouse_acme_budget_orders_left{ca="one"} 29`,
			`gatehouse_acme_renewal_lag_seconds 0`,
			`gatehouse_acme_store_works 1`,
			`gatehouse_acme_authority_down{ca="one"} 0`,
			`gatehouse_acme_attempts_left{tenant="acme"}`,
			`gatehouse_acme_not_after_seconds{tenant="globex"} 9.47`,
		)
		k.ca.refusing(func(request, int) error { return said(causeHost, "unauthorized", "no") })
		settle(110 * time.Hour)
		k.blobs.Fail(errFull)
		settle(26 * time.Hour)
		wantMetrics(t, set,
			`gatehouse_acme_orders_total{ca="one",result="failed_host"}`,
			`gatehouse_acme_store_works 0`,
		)
		for line := range strings.Lines(scrape(set)) {
			if strings.HasPrefix(line, "gatehouse_acme_renewal_lag_seconds 0") || strings.Contains(line, "h00000") {
				t.Errorf("the scrape has %s", line)
			}
		}
		k.end()
	})
}

func scrape(set *metrics.Set) string {
	w := httptest.NewRecorder()
	set.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func wantMetrics(t *testing.T, set *metrics.Set, want ...string) {
	t.Helper()
	got := scrape(set)
	for _, line := range want {
		if !strings.Contains(got, line) {
			t.Errorf("the scrape lacks %s", line)
		}
	}
	if t.Failed() {
		t.Log(got[strings.Index(got, "gatehouse_acme"):])
	}
}

package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/admin"
)

// status says how each canary fares, and why one was given up.
func TestPrintCanaries(t *testing.T) {
	var out bytes.Buffer
	canaries := []admin.CanaryStatus{
		{Route: "/", To: "pool:next", Takes: "5% of requests", Requests: 900, Errors: 1},
		{
			Route: "/app/", To: "10.4.1.11:8080", Requests: 200, Errors: 20,
			Aborted: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), Why: "20 of 200 requests failed within 1m0s",
		},
	}
	if err := printCanaries(&out, []admin.TenantStatus{{ID: "acme", Canaries: canaries}}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"", "CANARY TENANT ROUTE STATE REQUESTS ERRORS WHY",
		"pool:next acme / on 900 1 5% of requests",
		"10.4.1.11:8080 acme /app/ aborted 2026-06-01T12:00:00Z 200 20 20 of 200 requests failed within 1m0s",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	out.Reset()
	if err := printCanaries(&out, []admin.TenantStatus{{ID: "acme"}}); err != nil || out.Len() > 0 {
		t.Errorf("without canaries: %q, %v", out.String(), err)
	}
}

package main

import (
	"strings"
	"testing"

	"gatehouse/internal/admin"
)

func TestPrintLimits(t *testing.T) {
	used := func(share float64) *float64 { return &share }
	var b strings.Builder
	printLimits(&b, []admin.ListenerStatus{{Limits: []admin.LimitStatus{
		{Level: "listener :443", Limit: "connections", Is: "4096", Used: used(0.9), Now: "the nearest of 7 clients has 3686"},
		{Level: "listener :443", Limit: "handshakes", Is: "50 at once, then one every 20ms", Used: used(0), Now: "no client"},
	}}}, []admin.TenantStatus{
		{ID: "acme", Limits: []admin.LimitStatus{
			{Level: `tenant "acme"`, Limit: "requests", Is: "500/s, 500 at once", Used: used(0.79), Now: "79% of what may come at once"},
			{Level: `tenant "acme"`, Limit: "body", Is: "64MiB"},
			{Level: `tenant "acme"`, Limit: "retries", Is: "20% of requests, at least 10/s", Used: used(0.9), Now: "90 in the last 10s, of 100"},
			{Level: `route "/reports/"`, Limit: "in_flight", Is: "5, and 5 wait up to 1s", Used: used(1), Now: "5, and 2 wait"},
		}},
		{ID: "globex"},
	})
	const want = "near its limit: listener :443: connections of one client: 4096; now the nearest of 7 clients has 3686\n" +
		"near its limit: tenant \"acme\": retries: 20% of requests, at least 10/s; now 90 in the last 10s, of 100\n" +
		"near its limit: route \"/reports/\" of tenant acme: in_flight: 5, and 5 wait up to 1s; now 5, and 2 wait\n"
	if got := b.String(); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

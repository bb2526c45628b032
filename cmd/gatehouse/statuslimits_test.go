package main

import (
	"strings"
	"testing"

	"gatehouse/internal/admin"
)

func TestPrintLimits(t *testing.T) {
	var b strings.Builder
	printLimits(&b, []admin.ListenerStatus{{Limits: []admin.LimitStatus{
		{Level: "listener :443", Limit: "connections", Is: "4096", Used: 0.9, Now: "3686 of the nearest of 7 clients"},
		{Level: "listener :443", Limit: "handshakes", Is: "50 at once, then one every 20ms"},
	}}}, []admin.TenantStatus{
		{ID: "acme", Limits: []admin.LimitStatus{
			{Level: `tenant "acme"`, Limit: "requests", Is: "500/s, 500 at once", Used: 0.79, Now: "79% of what may come at once"},
			{Level: `route "/reports/"`, Limit: "in_flight", Is: "5, and 5 wait up to 1s", Used: 1, Now: "5, and 2 wait"},
		}},
		{ID: "globex"},
	})
	const want = "near its limit: listener :443: connections of one client is 4096, now 3686 of the nearest of 7 clients\n" +
		"near its limit: route \"/reports/\" of tenant acme: in_flight is 5, and 5 wait up to 1s, now 5, and 2 wait\n"
	if got := b.String(); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

package main

import (
	"strings"
	"testing"

	"gatehouse/internal/admin"
)

// TestPrintMeans: what is taken is always told, and who has nearly all it may.
func TestPrintMeans(t *testing.T) {
	var b strings.Builder
	printMeans(&b, []admin.MeansStatus{
		{Means: "memory", Taken: 3 << 20, Of: 4 << 30},
		{Means: "goroutines", Taken: 7, Of: 100},
	}, []admin.TenantStatus{
		{ID: "acme", Means: []admin.PartStatus{
			{Means: "memory", Held: 2 << 20, Part: 3 << 30, Used: 0.001},
			{Means: "goroutines", Held: 80, Part: 90, Used: 0.89},
		}},
		{ID: "globex"},
	})
	const want = "taken: 3.0 MiB of 4096.0 MiB, 7 goroutines of 100 goroutines\n" +
		"near its part: tenant acme holds 80 goroutines of 90 goroutines\n"
	if got := b.String(); got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

package main

import (
	"strings"
	"testing"

	"gatehouse/internal/admin"
)

// TestPrintBackends: a backup that is up gets no requests while others do, which
// its row says.
func TestPrintBackends(t *testing.T) {
	var b strings.Builder
	err := printBackends(&b, []admin.PoolStatus{{Label: "/", Backends: []admin.BackendStatus{
		{URL: "http://10.4.1.10:8080", State: admin.BackendUp, Weight: 3},
		{URL: "http://10.4.1.11:8080", State: admin.BackendUp, Weight: 1, Backup: true},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `
BACKEND                POOL  STATE  SINCE  IN FLIGHT  WEIGHT  WHY
http://10.4.1.10:8080  /     up     -      0          3       -
http://10.4.1.11:8080  /     up     -      0          1       backup, asked while no other takes requests
`
	if got := b.String(); got != want {
		t.Errorf("printed %s\nwant %s", got, want)
	}
}

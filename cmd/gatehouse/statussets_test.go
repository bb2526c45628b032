package main

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/admin"
)

func TestPrintSets(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var b strings.Builder
	if err := printSets(&b, nil, now); err != nil || b.Len() > 0 {
		t.Errorf("without sources: %q, %v", &b, err)
	}
	err := printSets(&b, []admin.SetStatus{
		{Set: "cloud", Source: "url https://lists.example/cloud.txt", State: "unknown", Why: "it answered 404"},
		{Tenant: "acme", Set: "vpn", Source: "dns vpn.acme.example", State: "fresh", Entries: 2, Good: now.Add(-90 * time.Second)},
	}, now)
	want := `SET    TENANT  SOURCE                               STATE    ENTRIES  AGE    WHY
cloud  -       url https://lists.example/cloud.txt  unknown  0        -      it answered 404
vpn    acme    dns vpn.acme.example                 fresh    2        1m30s  -

`
	if got := b.String(); err != nil || got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
	b.Reset()
	many := make([]admin.SetStatus, setsShown+1)
	for i := range many {
		many[i].State = "fresh"
	}
	if err := printSets(&b, many, now); err != nil || b.String() != "live sources of sets: 21 fresh\n" {
		t.Errorf("many are printed as %q, %v", &b, err)
	}
}

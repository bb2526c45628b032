package main

import (
	"fmt"
	"io"
	"time"

	"gatehouse/internal/admin"
)

// canariesShown bounds the canaries that status prints; --json has them all.
const canariesShown = 20

// printCanaries says how canaries fare, and which were given up.
func printCanaries(w io.Writer, tenants []admin.TenantStatus) error {
	n := 0
	table := newTable(w, "CANARY", "TENANT", "ROUTE", "STATE", "REQUESTS", "ERRORS", "WHY")
	for _, t := range tenants {
		for _, c := range t.Canaries {
			if n++; n > canariesShown {
				continue
			}
			state, why := "on", c.Takes
			if !c.Aborted.IsZero() {
				state, why = "aborted "+c.Aborted.Format(time.RFC3339), c.Why
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", c.To, t.ID, c.Route, state, c.Requests, c.Errors, why)
		}
	}
	if n == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := table.Flush(); err != nil {
		return err
	}
	if n > canariesShown {
		fmt.Fprintf(w, "and %d more; gatehouse status --json has them all\n", n-canariesShown)
	}
	return nil
}

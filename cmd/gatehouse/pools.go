package main

import (
	"fmt"
	"io"
	"time"

	"gatehouse/internal/admin"
)

// backendsShown bounds the backends that status prints; --json has them all.
const backendsShown = 20

// upOf counts the backends of a tenant that get requests, like "3" or "2 of 3".
func upOf(t *admin.TenantStatus) string {
	up, all := 0, 0
	for _, p := range t.Pools {
		for _, b := range p.Backends {
			all++
			if b.State == admin.BackendUp {
				up++
			}
		}
	}
	if up == all {
		return fmt.Sprint(all)
	}
	return fmt.Sprintf("%d of %d", up, all)
}

// printPools names the backends that get no requests, and why.
func printPools(w io.Writer, tenants []admin.TenantStatus) error {
	n := 0
	table := newTable(w, "BACKEND", "TENANT", "POOL", "STATE", "SINCE", "IN FLIGHT", "WHY")
	for _, t := range tenants {
		for _, p := range t.Pools {
			for _, b := range p.Backends {
				if b.State == admin.BackendUp {
					continue
				}
				if n++; n > backendsShown {
					continue
				}
				since := "-"
				if !b.Since.IsZero() {
					since = b.Since.Format(time.RFC3339)
				}
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", addressOf(&b), t.ID, p.Label, b.State, since, b.InFlight, b.Why)
			}
		}
	}
	if n == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := table.Flush(); err != nil {
		return err
	}
	if n > backendsShown {
		fmt.Fprintf(w, "and %d more; gatehouse status --json has them all\n", n-backendsShown)
	}
	return nil
}

package main

import (
	"fmt"
	"io"

	"gatehouse/internal/admin"
)

// nearCeiling is how much of a limit is used when it is worth a line.
const nearCeiling = 0.8

// printLimits names the limits that are nearly reached. All of a tenant's are in
// its own status, and all in the JSON.
func printLimits(w io.Writer, listeners []admin.ListenerStatus, tenants []admin.TenantStatus) {
	for _, l := range listeners {
		for _, l := range l.Limits {
			if l.Used >= nearCeiling {
				fmt.Fprintf(w, "near its limit: %s: %s of one client is %s, now %s\n", l.Level, l.Limit, l.Is, l.Now)
			}
		}
	}
	for _, t := range tenants {
		for _, l := range t.Limits {
			if l.Used >= nearCeiling {
				fmt.Fprintf(w, "near its limit: %s of tenant %s: %s is %s, now %s\n", l.Level, t.ID, l.Limit, l.Is, l.Now)
			}
		}
	}
}

package main

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/admin"
)

// nearCeiling is how much of a limit is used when it is worth a line.
const nearCeiling = 0.8

// printLimits names the limits that are nearly reached. All of a tenant's are in
// its own status, and all in the JSON.
func printLimits(w io.Writer, listeners []admin.ListenerStatus, tenants []admin.TenantStatus) {
	for _, listener := range listeners {
		for _, l := range listener.Limits {
			printNear(w, &l, l.Level, l.Limit+" of one client")
		}
	}
	for _, t := range tenants {
		for _, l := range t.Limits {
			level := l.Level
			if !strings.HasPrefix(level, "tenant ") {
				level += " of tenant " + t.ID
			}
			printNear(w, &l, level, l.Limit)
		}
	}
}

// printNear says that a limit is nearly reached, if it is.
func printNear(w io.Writer, l *admin.LimitStatus, level, limit string) {
	if l.Used != nil && *l.Used >= nearCeiling {
		fmt.Fprintf(w, "near its limit: %s: %s: %s; now %s\n", level, limit, l.Is, l.Now)
	}
}

// usedOf is how much of a limit is used, as a table shows it.
func usedOf(l *admin.LimitStatus) string {
	if l.Used == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100**l.Used)
}

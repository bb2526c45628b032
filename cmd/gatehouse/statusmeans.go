package main

import (
	"fmt"
	"io"
	"strings"

	"gatehouse/internal/admin"
)

// printMeans says how much is taken of what all tenants share, and which of them
// have nearly all that they may have.
func printMeans(w io.Writer, means []admin.MeansStatus, tenants []admin.TenantStatus) {
	var parts []string
	for _, m := range means {
		parts = append(parts, fmt.Sprintf("%s of %s", quantity(m.Means, m.Taken), quantity(m.Means, m.Of)))
	}
	fmt.Fprintf(w, "taken: %s\n", strings.Join(parts, ", "))
	for _, t := range tenants {
		for _, p := range t.Means {
			if p.Used >= nearCeiling {
				fmt.Fprintf(w, "near its part: tenant %s holds %s of %s\n", t.ID, quantity(p.Means, p.Held), quantity(p.Means, p.Part))
			}
		}
	}
}

// quantity is a number of one of the means, with its unit.
func quantity(means string, n int) string {
	if means == "memory" {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d %s", n, means)
}

package tenancy

import (
	"fmt"
	"strings"
)

// namesShownMost bounds the tenants that a line names: a log line stays one.
const namesShownMost = 10

// Summary says in a few words what the Table changes, for a log line or the
// report of a reload: "tenants: 1 added (globex), 2 changed (acme, initech)".
func (r *Result) Summary() string {
	var parts []string
	for _, part := range []struct {
		ids  []string
		verb string
	}{{r.Added, "added"}, {r.Changed, "changed"}, {r.Removed, "removed"}, {r.quarantinedIDs(), "quarantined"}} {
		if len(part.ids) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", len(part.ids), part.verb, someOf(part.ids)))
		}
	}
	if len(parts) == 0 {
		return "tenants: nothing changed"
	}
	return "tenants: " + strings.Join(parts, ", ")
}

func (r *Result) quarantinedIDs() []string {
	ids := make([]string, len(r.Quarantined))
	for i, q := range r.Quarantined {
		ids[i] = q.Tenant
		if !q.Served {
			ids[i] += ", not served"
		}
	}
	return ids
}

// someOf lists the first of many ids.
func someOf(ids []string) string {
	if len(ids) <= namesShownMost {
		return strings.Join(ids, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:namesShownMost], ", "), len(ids)-namesShownMost)
}

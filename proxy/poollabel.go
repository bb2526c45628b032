package proxy

import (
	"cmp"
	"slices"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// widestFirst orders routes so that a pool that several of them share is called by
// the widest: a route or a host that is added does not give it another name in
// status, log and metrics.
func widestFirst(routes []*tenancy.Route) []*tenancy.Route {
	return slices.SortedStableFunc(slices.Values(routes), func(a, b *tenancy.Route) int {
		if (a.Host() == "") != (b.Host() == "") {
			return cmp.Compare(len(a.Host()), len(b.Host()))
		}
		return cmp.Compare(len(a.Prefix()), len(b.Prefix()))
	})
}

// poolLabels returns what the pools of routes are called, by Plan.Key. Where
// several would have one name, those of hosts say which host: an alarm on one
// must not be silent because another one is well.
func poolLabels(named []*tenancy.Route) map[string]string {
	labels, taken := make(map[string]string), make(map[string]bool)
	for _, route := range named {
		for _, plan := range route.Plans() {
			key := plan.Key()
			if labels[key] != "" {
				continue
			}
			label := poolLabel(plan, route)
			if taken[label] {
				label = route.Host() + label
			}
			labels[key], taken[label] = label, true
		}
	}
	return labels
}

// poolLabel tells a pool from the others of its tenant: by its name, else by the
// widest route that has it, and by what it is beside that route's backends.
func poolLabel(p *pool.Plan, first *tenancy.Route) string {
	label := first.Prefix()
	if p.Name != "" {
		label = "pool:" + p.Name
	}
	switch c := first.Canary(); {
	case !p.Rules.Optional:
		return label
	case c != nil && c.Plan().Key() == p.Key():
		return label + " canary"
	}
	return label + " mirror"
}

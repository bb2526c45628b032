package gateway

import (
	"cmp"
	"slices"
	"strings"

	"gatehouse/internal/admin"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// limitStatus shows limits that are counted as operators see them.
func limitStatus(uses []proxy.LimitUse) (list []admin.LimitStatus) {
	for _, u := range uses {
		list = append(list, admin.LimitStatus{Level: u.Level, Limit: u.Limit, Is: u.Text, Used: &u.Used, Now: u.Now})
	}
	return list
}

// tenantLimits lists the limits of a tenant: its own, those of hosts, those of
// routes by their paths.
func tenantLimits(t *tenancy.Tenant, uses []proxy.LimitUse) []admin.LimitStatus {
	list := limitStatus(uses)
	for _, b := range t.BodyLimits() {
		list = append(list, admin.LimitStatus{Level: b.Level, Limit: "body", Is: b.Text})
	}
	slices.SortStableFunc(list, func(a, b admin.LimitStatus) int {
		return cmp.Or(cmp.Compare(levelRank(a.Level), levelRank(b.Level)), cmp.Compare(a.Level, b.Level))
	})
	return list
}

// levelRank is how narrow a level is, by its name.
func levelRank(level string) int {
	kind, _, _ := strings.Cut(level, " ")
	return slices.Index([]string{"tenant", "host", "route"}, kind)
}

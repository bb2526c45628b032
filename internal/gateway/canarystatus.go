package gateway

import (
	"gatehouse/internal/admin"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// canaryStatus shows canaries as operators see them.
func canaryStatus(canaries []proxy.CanaryStats) []admin.CanaryStatus {
	list := make([]admin.CanaryStatus, len(canaries))
	for i, c := range canaries {
		list[i] = admin.CanaryStatus{
			Route: c.Route, To: c.Rules.Identity(), Takes: c.Rules.String(),
			Requests: c.Requests, Errors: c.Errors, Aborted: c.GivenUp, Why: c.Why,
		}
		if c.Rules.Abort != (tenancy.Abort{}) {
			list[i].AbortIf = c.Rules.Abort.String()
		}
	}
	return list
}

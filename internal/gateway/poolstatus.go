package gateway

import (
	"gatehouse/internal/admin"
	"gatehouse/internal/pool"
	"gatehouse/proxy"
)

// poolStatus shows pools as operators see them.
func poolStatus(pools []proxy.PoolStats) []admin.PoolStatus {
	list := make([]admin.PoolStatus, len(pools))
	for i, p := range pools {
		list[i] = admin.PoolStatus{Name: p.Plan.Name, Route: p.Route, Label: p.Label, Balance: p.Plan.Rules.Balance.String()}
		if sticky := p.Plan.Rules.Sticky; sticky.Cookie != "" {
			list[i].Sticky = sticky.String()
		}
		if breaker := p.Plan.Rules.Breaker; breaker != (pool.Breaker{}) {
			list[i].Breaker = breaker.String()
		}
		for _, b := range p.Backends {
			address := ""
			if b.Address.IsValid() {
				address = b.Address.String()
			}
			list[i].Backends = append(list[i].Backends, admin.BackendStatus{
				URL: backendURL(b.Backend), Address: address, State: string(b.Standing), Why: b.Why, Since: b.Since,
				InFlight: b.InFlight, Pending: b.Pending, Weight: b.Backend.Weight(), Backup: b.Backend.Backup(),
			})
		}
	}
	return list
}

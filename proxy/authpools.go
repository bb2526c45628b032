package proxy

import (
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// Auth services are backends by all rules: they have pools of the tenant's like
// those of routes, told from them by the level that asks.

// adoptServices takes over the former pools of a tenant's auth services.
func (r *running) adoptServices(t *tenancy.Tenant, former *running) {
	for _, service := range t.AuthServices() {
		key := service.Plan().Key()
		if p := former.withKey(key); p != nil && r.withKey(key) == nil {
			r.addService(p, service)
		}
	}
}

// services finds or makes the pool of each auth service.
func (b *poolBuilder) services() {
	for _, service := range b.tenant.AuthServices() {
		p, known := b.find(service.Plan(), serviceLabel(service))
		if !known {
			b.into.addService(p, service)
		}
		b.into.services = append(b.into.services, p)
	}
}

func (r *running) addService(p *pool.Pool, first *tenancy.AuthService) {
	label := serviceLabel(first)
	r.routes = append(r.routes, label)
	r.labels = append(r.labels, label)
	r.distinct = append(r.distinct, p)
	r.keys = append(r.keys, p.Plan().Key())
}

func serviceLabel(a *tenancy.AuthService) string { return "forward_auth of " + a.Name() }

package tenancy

import (
	"net/netip"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

const (
	// backendsMost bounds interchangeable backends: more than anyone runs of one
	// application, and each route names all of them.
	backendsMost = 256

	// allBackendsMost bounds the backends of a tenant over all its lists.
	allBackendsMost = 10_000
)

// compileBackends compiles a list once, wherever it is merged to.
func (b *builder) compileBackends(list conf.OneOrMany[pool.BackendSpec]) []*pool.Backend {
	if done, ok := b.pools[list.Pos]; ok {
		return done
	}
	if n := len(list.Items); n > backendsMost || len(b.uses)+n > allBackendsMost {
		b.overfull = true
		b.report.Fault(list.Pos, "", "backends names %d; expected at most %d in a list, and %d in all lists of a tenant", n, backendsMost, allBackendsMost)
		return nil
	}
	var backends []*pool.Backend
	first := make(map[string]conf.Pos, len(list.Items))
	for _, item := range list.Items {
		if item.V.URL.V == "" && item.V.URL.Pos.IsZero() {
			continue // reading it was a fault
		}
		if _, named := poolName(&item.V); named {
			b.report.Fault(item.V.URL.Pos, "", "%q stands among URLs, or with keys beside it; a pool stands alone, where backends do", item.V.URL.V)
			continue
		}
		backend := pool.CompileBackend(item, func(string) ([]byte, error) { return b.readCA(item.V.CA) }, b.report)
		if backend == nil {
			continue
		}
		if at, ok := first[backend.Key()]; ok {
			b.report.Warn(item.Pos, "remove one of the two", "backend %q stands here and at %s", item.V.URL.V, at)
			continue
		}
		first[backend.Key()] = item.Pos
		b.checkBackend(backend, item.V.URL)
		backends = append(backends, backend)
		b.uses = append(b.uses, backendUse{backend.Address(), backend.Shared(), backend.Pos()})
	}
	if list.Empty() {
		b.report.Fault(list.Pos, "", "backends names none; expected at least one URL")
	}
	b.checkRoles(list, backends)
	b.pools[list.Pos] = backends
	return backends
}

// checkRoles warns where no backend of a list can take requests.
func (b *builder) checkRoles(list conf.OneOrMany[pool.BackendSpec], backends []*pool.Backend) {
	active, primary := 0, 0
	for _, backend := range backends {
		if !backend.Backup() {
			primary++
		}
		if backend.State() == pool.Active {
			active++
		}
	}
	switch {
	case len(backends) == 0:
	case active == 0:
		b.report.Warn(list.Pos, "", "no backend has state: active, so every request is refused as no_healthy_backend")
	case primary == 0:
		b.report.Warn(list.Pos, "remove backup: true", "every backend is a backup, so none is")
	}
}

// planKey is what makes a plan: a list of backends and how they are used.
type planKey struct {
	list  conf.Pos
	rules pool.Rules
}

// compilePlan compiles what stands where backends do: a named pool, or backends
// that are used as rules say. Routes that agree in both share the plan.
func (b *builder) compilePlan(list conf.OneOrMany[pool.BackendSpec], rules *PoolRulesSpec) *pool.Plan {
	if at, ok := namedPool(list); ok {
		return b.planNamed(at)
	}
	key := planKey{list.Pos, rules.compile()}
	plan := b.plans[key]
	if plan == nil {
		plan = pool.NewPlan(b.compileBackends(list), key.rules)
		b.plans[key] = plan
		b.checkHealth(plan, rules.Health)
	}
	return plan
}

// checkHealth warns about settings without a path, which come to nothing, and
// notes what other addresses checks go to.
func (b *builder) checkHealth(plan *pool.Plan, spec *pool.HealthSpec) {
	if spec != nil && !spec.Path.Set() && spec.Pos.File == b.v.file {
		b.report.Warn(spec.Pos, "write it like path: /healthz", "health has no path, so no backend is looked at")
	}
	for _, backend := range plan.Backends {
		if address := plan.Rules.Health.Address(backend); address != backend.Address() {
			b.uses = append(b.uses, backendUse{address, backend.Shared(), backend.Pos()})
		}
	}
}

// checkBackend holds a backend to the main file's guards.
func (b *builder) checkBackend(backend *pool.Backend, url conf.At[string]) {
	w := b.w
	if !w.httpsOnly.IsZero() && !backend.TLS() {
		b.report.Fault(url.Pos, "", "backend %q is reached by http; backend_tls at %s wants https", url.V, w.httpsOnly)
	}
	addr, ok := backend.Literal()
	if !ok {
		return // its addresses are judged when it is dialled
	}
	if !w.dialling.inNetworks(addr) {
		b.report.Fault(url.Pos, "", "backend %q is outside backend_networks at %s", url.V, w.in.Main.Require.BackendNetworks.Pos)
	}
	if l := w.dialling.ownListener(netip.AddrPortFrom(addr, backend.Port())); l != nil {
		b.report.Fault(url.Pos, "", "backend %q is our own listener %q; requests would go round in circles", url.V, l.Name)
	}
	for _, l := range w.in.Listeners {
		if m, trusted := l.Trust.Explain(addr, 0); trusted {
			b.report.Fault(url.Pos, "", "backend %q is in the trust set of listener %q (%s at %s); it could name clients as it likes", url.V, l.Name, m, m.Pos)
		}
	}
}

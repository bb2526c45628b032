package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// drainsMax bounds the tenants and backends that are drained by command: what is
// for long belongs into the files. Each may take 700 bytes of the blob that all
// orders share.
const drainsMax = 4_000

// readDrained reads what a drain is of: TENANT, or TENANT/BACKEND with the
// backend as status shows it or by its address alone.
func readDrained(of string) (tenant, backend string, err error) {
	tenant, backend, ok := strings.Cut(of, "/")
	backend = strings.TrimPrefix(strings.TrimPrefix(backend, "http://"), "https://")
	if backend = strings.ToLower(strings.TrimSuffix(backend, "/")); tenant == "" || ok && backend == "" {
		return "", "", fmt.Errorf("%q is neither TENANT nor TENANT/BACKEND", of)
	}
	return tenant, backend, nil
}

// drain notes that a tenant or a backend of it is drained, or no longer. A
// backend is drained in the table in use; what is drained may be taken back
// whatever became of it.
func (p *pull) drain(l *tenancy.Levers, order tenancy.Order, current *loaded) error {
	next := tenancy.DrainOrder{Tenant: p.tenant, Backend: p.backend, Order: order}
	i := slices.IndexFunc(l.Drained, func(d tenancy.DrainOrder) bool { return d.Tenant == p.tenant && d.Backend == p.backend })
	switch {
	case p.Lever == admin.Undrain && i < 0:
		return fmt.Errorf("%s is not drained by command", next.Of())
	case p.Lever == admin.Undrain:
		l.Drained = slices.Delete(l.Drained, i, i+1)
		return nil
	}
	if err := current.knowsDrained(p.tenant, p.backend); err != nil {
		return err
	}
	switch {
	case i >= 0:
		l.Drained[i] = next
	case len(l.Drained) >= drainsMax:
		return fmt.Errorf("%d tenants and backends are drained by command already; write state: drain into the files", len(l.Drained))
	default:
		l.Drained = append(l.Drained, next)
	}
	return nil
}

// knowsDrained refuses a tenant or a backend that there is not.
func (l *loaded) knowsDrained(tenant, backend string) error {
	if err := l.knowsTenant(tenant); err != nil || backend == "" {
		return err
	}
	t := l.table.Tenant(tenant)
	if t == nil {
		return fmt.Errorf("tenant %q is not served, and its backends are not known; drain the tenant", tenant)
	}
	addresses := drainable(t)
	if slices.Contains(addresses, backend) {
		return nil
	}
	hint := ""
	if near := nearestBackend(backend, addresses); near != "" {
		hint = fmt.Sprintf("; did you mean %s/%s?", tenant, near)
	}
	return fmt.Errorf("tenant %q has no backend %q%s", tenant, backend, hint)
}

// drainable lists the addresses of a tenant's backends: those of its routes, of
// what stands beside them, and its auth services.
func drainable(t *tenancy.Tenant) (addresses []string) {
	add := func(p *pool.Plan) {
		for _, b := range p.Backends {
			addresses = append(addresses, b.Address())
		}
	}
	for _, r := range t.Routes() {
		for _, p := range r.Plans() {
			add(p)
		}
	}
	for _, a := range t.AuthServices() {
		add(a.Plan())
	}
	return addresses
}

// nearestBackend is the address that was probably meant: the only one of that
// host or port, the name that leads to the address on that port, or one that is
// spelt nearly so.
func nearestBackend(backend string, addresses []string) string {
	for _, a := range addresses {
		if strings.HasPrefix(a, backend+":") {
			return a
		}
	}
	host, port, err := net.SplitHostPort(backend)
	if err != nil {
		host, port = "", backend
	}
	if host == "" || isAddress(host) {
		if a := onlyOfPort(port, addresses, host != ""); a != "" {
			return a
		}
	}
	return conf.Nearest(backend, addresses)
}

// onlyOfPort is the address that alone has the port, of those written by name if
// named; "" where there is none, or more than one.
func onlyOfPort(port string, addresses []string, named bool) (only string) {
	for _, a := range addresses {
		host, p, err := net.SplitHostPort(a)
		if err != nil || p != port || named && isAddress(host) || a == only {
			continue
		}
		if only != "" {
			return ""
		}
		only = a
	}
	return only
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// drainNotes says which routes of a tenant a drain of a backend has left with
// nobody who takes requests. A tenant that is drained as a whole is no surprise.
func drainNotes(t *tenancy.Tenant, pools []proxy.PoolStats, address string) []string {
	var notes []string
	if t == nil || address == "" {
		return nil
	}
	for _, r := range t.Routes() {
		counts, has := standings(pools, r.Plan(), address)
		left := "that takes requests: new ones are answered 503"
		switch {
		case !has || counts[pool.Up] > 0:
			continue
		case r.Canary() != nil:
			left = "but those of its canary"
		case counts[pool.Ejected] > 0:
			left = "but such as are ejected for failing requests"
		}
		if note := fmt.Sprintf("route %q has no backend left %s", r.Prefix(), left); !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	for _, a := range t.AuthServices() {
		if counts, has := standings(pools, a.Plan(), address); has && counts[pool.Up] == 0 {
			notes = append(notes, fmt.Sprintf("forward_auth of %s has no service left: what it is asked about is refused", a.Name()))
		}
	}
	return notes
}

// standings counts how the backends of a plan stand, and reports whether one of
// them has the address.
func standings(pools []proxy.PoolStats, p *pool.Plan, address string) (counts map[pool.Standing]int, has bool) {
	counts = make(map[pool.Standing]int)
	for _, stats := range pools {
		if stats.Plan.Key() != p.Key() {
			continue
		}
		for _, b := range stats.Backends {
			has = has || b.Backend.Address() == address
			counts[b.Standing]++
		}
	}
	return counts, has
}

// drainProgress says how many requests are in progress where something is
// drained.
func (g *gateway) drainProgress(of string) admin.DrainProgress {
	tenant, backend, err := readDrained(of)
	if err != nil {
		return admin.DrainProgress{Of: of}
	}
	return admin.DrainProgress{Of: of, InFlight: g.server.InFlight(tenant, backend)}
}

package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// ready says whether the gateway takes traffic, and why not.
func (g *gateway) ready() error {
	if g.announced.Load() {
		return errors.New("going down")
	}
	if !g.serving.Load() {
		return errors.New("not accepting yet")
	}
	if a := g.absent.Load(); a != nil {
		return a
	}
	return nil
}

// status describes the gateway as it runs.
func (g *gateway) status() admin.Status {
	current, stats := g.current.Load(), g.server.Stats()
	s := admin.Status{
		Version: g.options.Version, Started: g.startedAt, Config: g.options.Config,
		Generation: current.table.Generation(), Keys: g.state.keys.protection(),
		Listeners: g.listenerStatus(), Tenants: g.tenantStatus(current, &stats), Names: nameStatus(g.server.Names()),
		Certificates: summary(g.certificates()), Quarantined: quarantines(current.result), Levers: g.leverStatus(), Sets: g.setStatus(),
		LastReload: g.lastReload.Load(), Notes: slices.Concat(g.restartNotes(current), g.stateNotes(), g.levers.notes(), g.sourceNotes()),
	}
	for _, m := range stats.Means {
		s.Means = append(s.Means, admin.MeansStatus{Means: m.Means, Taken: m.Taken, Of: m.Of})
	}
	if err := g.ready(); err != nil {
		s.NotReady = err.Error()
	} else {
		s.Ready = true
	}
	return s
}

// stateNotes says that the state folder takes no writes, while it does not.
func (g *gateway) stateNotes() []string {
	trouble := g.state.disk.trouble.Load()
	if trouble == nil {
		return nil
	}
	return []string{fmt.Sprintf("the state folder takes no writes since %s, and what is new is lost with the process: %v",
		trouble.since.Format(time.RFC3339), trouble.err)}
}

// listenerStatus lists the listeners that are open, whatever the files say by
// now.
func (g *gateway) listenerStatus() []admin.ListenerStatus {
	list := []admin.ListenerStatus{}
	for _, l := range g.listeners {
		kind := "https"
		if l.Plain {
			kind = "http"
		}
		list = append(list, admin.ListenerStatus{
			Address: l.Name, Kind: kind, ClientIP: l.Mode.String(), Limits: limitStatus(g.server.ListenerLimits(l)),
		})
	}
	return list
}

func (g *gateway) tenantStatus(l *loaded, stats *proxy.Stats) []admin.TenantStatus {
	quarantined := make(map[string]bool)
	list := []admin.TenantStatus{}
	now := time.Now().Unix()
	for _, q := range l.result.Quarantined {
		quarantined[q.Tenant] = true
		if !q.Served {
			list = append(list, admin.TenantStatus{ID: q.Tenant, File: q.File, State: "not served", Hosts: []string{}, Backends: []string{}})
		}
	}
	for _, t := range l.table.Tenants() {
		s := admin.TenantStatus{ID: t.ID(), File: t.File(), Hosts: []string{}, Backends: backendsOf(t)}
		s.State = tenantState(quarantined[t.ID()], l.table.Standing(t, now))
		for _, h := range t.Hosts() {
			s.Hosts = append(s.Hosts, h.Name())
		}
		s.Pools, s.Canaries = poolStatus(stats.Pools[t.ID()]), canaryStatus(stats.Canaries[t.ID()])
		s.Connections, s.InFlight = stats.Tenants[t.ID()].Connections, stats.Tenants[t.ID()].InFlight
		s.Means = partStatus(stats.Parts[t.ID()])
		s.Limits = tenantLimits(t, stats.Limits[t.ID()])
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b admin.TenantStatus) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// tenantState says in words how a tenant is served.
func tenantState(quarantined bool, s tenancy.Standing) string {
	var words []string
	for _, state := range []struct {
		is   bool
		word string
	}{
		{quarantined, "quarantined"},
		{s.Suspended, "suspended"},
		{s.Maintained > 0 && s.Maintained == s.Routes, "in maintenance"},
		{s.Maintained > 0 && s.Maintained < s.Routes, "partly in maintenance"},
		{s.Drained, "drained"},
	} {
		if state.is {
			words = append(words, state.word)
		}
	}
	if len(words) == 0 {
		return "served"
	}
	return strings.Join(words, ", ")
}

// backendsOf lists the backends of all routes of a tenant, each once.
func backendsOf(t *tenancy.Tenant) []string {
	backends := []string{}
	seen := make(map[string]bool)
	for _, r := range t.Routes() {
		for _, p := range r.Plans() {
			for _, b := range p.Backends {
				if u := backendURL(b); !seen[u] {
					seen[u] = true
					backends = append(backends, u)
				}
			}
		}
	}
	return backends
}

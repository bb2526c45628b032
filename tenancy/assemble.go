package tenancy

import (
	"slices"
	"strings"
)

// assemble makes the table of what is chosen.
func (c *compilation) assemble() {
	in := c.w.in
	hosts := 0
	for _, e := range c.entries {
		hosts += len(e.fresh.version.hosts)
	}
	t := &Table{
		generation: 1,
		exact:      make(map[string]*Host, hosts),
		wildcards:  make(map[string]*Host, hosts/4),
		claims:     make(map[string]claim),
		tenants:    make([]*Tenant, 0, len(c.entries)),
		byID:       make(map[string]*Tenant, len(c.entries)),
		block:      c.w.block,
		listeners:  slices.Clone(in.Listeners),
		publicPort: in.PublicPort,
		timeouts:   c.w.builtin.Timeouts.compile(),
		limits:     c.w.limits,
		dialling:   c.w.dialling,
	}
	if t.publicPort == 0 {
		t.publicPort = httpsPort
	}
	if c.previous != nil {
		t.generation = c.previous.generation + 1
	}
	untils := ends(nil, c.w.block)
	for _, l := range t.listeners {
		untils = ends(untils, l.Trust)
	}
	for _, e := range c.entries {
		if e.chosen.serves() {
			t.addTenant(e.chosen.build.tenant)
			untils = append(untils, e.chosen.build.untils...)
		}
	}
	for _, e := range c.entries {
		for _, h := range e.claims() {
			if !c.overruled(t, e, h) {
				t.addClaim(e.id, h)
			}
		}
	}
	c.gatherSources(t)
	slices.Sort(untils)
	t.untils = slices.Compact(untils)
	c.table = t
}

func (t *Table) addTenant(tenant *Tenant) {
	t.tenants = append(t.tenants, tenant)
	t.byID[tenant.id] = tenant
	for _, h := range tenant.hosts {
		if parent, ok := strings.CutPrefix(h.name, "*."); ok {
			t.wildcards[parent] = h
		} else {
			t.exact[h.name] = h
		}
	}
}

// overruled reports whether a host that e claims and does not serve belongs to
// the wildcard around it all the same: to e's own, which e serves as before, or
// to one whose owner runs it, does not lend the name, and never had e inside.
// Otherwise whoever names hosts in a broken file could take them from others.
func (c *compilation) overruled(t *Table, e *entry, h hostClaim) bool {
	_, parent, _ := strings.Cut(h.name, ".")
	wild := t.wildcards[parent]
	if wild == nil || h.name[0] == '*' {
		return false
	}
	if wild.tenant.id == e.id {
		return true
	}
	owner := c.entryOf(wild.tenant.id)
	return !owner.lends(h.name) && c.hostRank(e, h.name) < c.hostRank(owner, wild.name)
}

// entryOf returns the entry of a tenant that is served.
func (c *compilation) entryOf(id string) *entry {
	i, _ := slices.BinarySearchFunc(c.entries, id, func(e *entry, id string) int { return strings.Compare(e.id, id) })
	return c.entries[i]
}

// addClaim keeps a host that is not served from falling to a wildcard.
func (t *Table) addClaim(id string, h hostClaim) {
	names, key := t.exact, h.name
	if parent, ok := strings.CutPrefix(h.name, "*."); ok {
		names, key = t.wildcards, parent
	}
	if _, taken := names[key]; taken {
		return
	}
	names[key] = nil
	t.claims[h.name] = claim{id, h.pos}
}

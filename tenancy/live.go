package tenancy

import (
	"slices"

	"gatehouse/ipallow"
)

// tableSources are the live sources that lists of a table name.
type tableSources struct {
	all      []*ipallow.Source // each once
	byTenant map[string][]ipallow.SourceID
}

// WithLive returns a table that decides as t does, with what live sources list
// in place of what t has of them, as another generation. Tenants keep their
// pointers. It cannot fail.
func (t *Table) WithLive(l *ipallow.Live, generation uint64) *Table {
	next := *t
	next.generation = generation
	next.live = l
	return &next
}

// At is the moment by which lists of the table are asked at the Unix second now;
// 0 asks as if no `until` had passed.
func (t *Table) At(now int64) ipallow.Moment { return ipallow.Moment{Now: now, Live: t.live} }

// Sources returns the live sources that decide in the table, each once. The
// caller must not write to the list.
func (t *Table) Sources() []*ipallow.Source { return t.sources.all }

// ListsAlike reports whether the live sources of a tenant list by t what they
// list by earlier.
func (t *Table) ListsAlike(earlier *Table, tenant string) bool {
	return t.live == earlier.live || !slices.ContainsFunc(t.sources.byTenant[tenant], func(id ipallow.SourceID) bool {
		return !t.live.Same(earlier.live, id)
	})
}

// gatherSources notes the live sources of what is chosen.
func (c *compilation) gatherSources(t *Table) {
	known := make(map[ipallow.SourceID]bool)
	add := func(sources []*ipallow.Source) {
		for _, s := range sources {
			if !known[s.ID()] {
				known[s.ID()] = true
				t.sources.all = append(t.sources.all, s)
			}
		}
	}
	add(t.block.Sources())
	for _, m := range c.w.closings {
		add(m.sources())
	}
	for _, e := range c.entries {
		if !e.chosen.serves() || len(e.chosen.build.sources) == 0 {
			continue
		}
		add(e.chosen.build.sources)
		if t.sources.byTenant == nil {
			t.sources.byTenant = make(map[string][]ipallow.SourceID)
		}
		for _, s := range e.chosen.build.sources {
			t.sources.byTenant[e.id] = append(t.sources.byTenant[e.id], s.ID())
		}
	}
}

// sourcesOf gathers the live sources of every list that decides for a tenant.
func (b *builder) sourcesOf() []*ipallow.Source {
	sources := b.narrowed.access.Sources()
	for _, a := range b.accesses {
		sources = append(sources, a.Sources()...)
	}
	for _, m := range b.closings {
		sources = append(sources, m.sources()...)
	}
	return sources
}

// sources returns the live sources of who bypasses it.
func (m *maintenance) sources() (all []*ipallow.Source) {
	if m == nil {
		return nil
	}
	for _, w := range m.windows {
		all = append(all, w.bypass.Sources()...)
	}
	return all
}

// bounds returns t under all that live sources may let in, and under the least;
// twice nil where it names none.
func (t *Table) bounds() (most, least *Table) {
	if len(t.sources.all) == 0 {
		return nil, nil
	}
	wide, narrow := ipallow.Bounds()
	return t.WithLive(wide, t.generation), t.WithLive(narrow, t.generation)
}

// origin says by which rules the sets of the text name files.
func (v *version) origin() *ipallow.Origin {
	if v.inline {
		return &ipallow.Origin{Owner: v.id}
	}
	return &ipallow.Origin{Owner: v.id, Confined: true, Resolve: v.resolve}
}

package gateway

import (
	"context"
	"fmt"
	"slices"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
)

// absence is that tenants of the last run have no file at a start while a
// pattern of include matches none: rather a mount that failed than a wish. It
// lasts until the files are back: they come one by one, and the first is not all.
type absence struct {
	patterns []conf.At[string] // those that matched nothing, as include has them now
	empty    bool              // the first of them matches nothing still
	tenants  []string
	before   int // how many there were
}

// Error says it without names: whoever may ask /readyz reads it.
func (a *absence) Error() string {
	matches := "matched no file at the start"
	if a.empty {
		matches = "matches no file"
	}
	return fmt.Sprintf("include %q %s, and %d of %d tenants that were served before have none; bring the files back, or run gatehouse reload --force if the tenants are to go",
		a.patterns[0].V, matches, len(a.tenants), a.before)
}

// at returns where the first of the patterns is written.
func (a *absence) at() string { return a.patterns[0].Pos.String() }

// absentIn compares a tree with the copies of the last run; nil says that nothing
// is to be asked for, unless the copies cannot be listed.
func (g *gateway) absentIn(ctx context.Context, l *loaded) (*absence, error) {
	if len(l.suspect(nil)) == 0 {
		return nil, nil
	}
	kept, err := g.copies.tenants(ctx)
	if err != nil {
		return nil, err
	}
	return l.missing(&absence{tenants: kept, before: len(kept)}), nil
}

// missing returns what is absent still of what was, or nil. Where there are files,
// tenants may go as far as they may at a reload.
func (l *loaded) missing(was *absence) *absence {
	now := &absence{patterns: l.suspect(was.patterns), before: was.before}
	for _, tenant := range without(slices.Clone(was.tenants), l.files) {
		if l.table.Tenant(tenant) == nil {
			now.tenants = append(now.tenants, tenant)
		}
	}
	n := len(now.tenants)
	if len(now.patterns) == 0 || n == 0 || len(l.files) > 0 && !tenancy.ManyRemoved(n, now.before) {
		return nil
	}
	now.empty = l.unmatched[now.patterns[0].V]
	return now
}

// suspect returns the patterns of include that match nothing, or are among those
// that did not before.
func (l *loaded) suspect(before []conf.At[string]) (found []conf.At[string]) {
	for _, item := range l.config.Include.Items {
		same := func(other conf.At[string]) bool { return other.V == item.V }
		if l.unmatched[item.V] || slices.ContainsFunc(before, same) {
			found = append(found, item)
		}
	}
	return found
}

// missAtStart keeps the gateway from being ready while tenants are absent; who
// wants a strict start gets none.
func (g *gateway) missAtStart(ctx context.Context, first *loaded) error {
	a, err := g.absentIn(ctx, first)
	if err != nil {
		g.log.WarnContext(ctx, "the last good copies cannot be listed; whether tenants are missing is not known", "err", err)
	}
	if a == nil {
		return nil
	}
	if g.options.Strict {
		return fmt.Errorf("%s: %w, after a start without --strict", a.at(), a)
	}
	g.miss(ctx, a)
	return nil
}

func (g *gateway) miss(ctx context.Context, a *absence) {
	g.absent.Store(a)
	g.log.ErrorContext(ctx, "not ready: tenants that were served before have no file", "at", a.at(), "why", a, "tenants", joined(a.tenants))
}

// forgetGone has the copies of tenants deleted whose file went while no process
// ran, if it is known that none is missed. It looks anew: the state folder may
// not have answered before, or may not now.
func (g *gateway) forgetGone(ctx context.Context, first *loaded) {
	a, err := g.absentIn(ctx, first)
	switch {
	case err != nil:
		g.log.WarnContext(ctx, "the last good copies cannot be listed; those of deleted tenants stay", "err", err)
	case a == nil:
		g.copies.keepOnly(ctx, first.files)
	case g.absent.Load() == nil:
		g.miss(ctx, a)
	}
}

// missNoMore ends that once the files are back, or whoever orders a reload with
// force lets the tenants go, for later starts as well. It asks no state folder:
// who is missed is known since the start.
func (g *gateway) missNoMore(ctx context.Context, next *loaded, force bool) {
	former := g.absent.Load()
	if former == nil {
		return
	}
	now := next.missing(former)
	if now != nil && force {
		g.copies.keep(nil, now.tenants)
		now = nil
	}
	g.absent.Store(now)
	if now == nil {
		g.log.InfoContext(ctx, "ready: no tenant is missed any more", "forced", force)
	}
}

// absenceNotes says what keeps the gateway from being ready.
func (g *gateway) absenceNotes() []string {
	if a := g.absent.Load(); a != nil {
		return []string{"not ready: " + a.Error()}
	}
	return nil
}

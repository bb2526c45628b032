package gateway

import (
	"context"
	"fmt"

	"gatehouse/tenancy"
)

// absence is that tenants of the last run have no file at a start while a
// pattern of include matches none: rather a mount that failed than a wish.
type absence struct {
	pattern string
	at      string // where the pattern is written
	tenants []string
	before  int // how many there were
}

// Error says it without names: whoever may ask /readyz reads it.
func (a *absence) Error() string {
	return fmt.Sprintf("include %q matches no file, and %d of %d tenants that were served before have none; bring the files back, or run gatehouse reload --force if the tenants are to go",
		a.pattern, len(a.tenants), a.before)
}

// absentIn compares a tree with the copies of the last run; nil says that nothing
// is to be asked for. Where other patterns have files, tenants may go at a start
// as far as they may at a reload.
func (g *gateway) absentIn(ctx context.Context, l *loaded) *absence {
	var found *absence
	for _, item := range l.config.Include.Items {
		if found == nil && l.unmatched[item.V] {
			found = &absence{pattern: item.V, at: item.Pos.String()}
		}
	}
	if found == nil {
		return nil
	}
	kept, err := g.copies.tenants(ctx)
	if err != nil {
		g.log.Warn("the last good copies cannot be listed; whether tenants are missing is not known", "err", err)
		return nil
	}
	found.before = len(kept)
	for _, tenant := range without(kept, l.files) {
		if l.table.Tenant(tenant) == nil {
			found.tenants = append(found.tenants, tenant)
		}
	}
	if n := len(found.tenants); n == 0 || len(l.files) > 0 && !tenancy.ManyRemoved(n, found.before) {
		return nil
	}
	return found
}

// missAtStart keeps the gateway from being ready while tenants are absent; who
// wants a strict start gets none.
func (g *gateway) missAtStart(ctx context.Context, first *loaded) error {
	a := g.absentIn(ctx, first)
	if a == nil {
		return nil
	}
	if g.options.Strict {
		return fmt.Errorf("%s: %w, after a start without --strict", a.at, a)
	}
	g.absent.Store(a)
	g.log.ErrorContext(ctx, "not ready: tenants that were served before have no file", "at", a.at, "why", a, "tenants", joined(a.tenants))
	return nil
}

// missNoMore ends that once the files are back, or whoever orders a reload with
// force lets the tenants go, for later starts as well.
func (g *gateway) missNoMore(ctx context.Context, next *loaded, force bool) {
	former := g.absent.Load()
	if former == nil {
		return
	}
	now := g.absentIn(ctx, next)
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

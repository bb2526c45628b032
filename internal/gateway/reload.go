package gateway

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// actorWatcher is who reloads when files change by themselves. Such reloads are
// silent when nothing differs.
const actorWatcher = "file change"

// request asks the reload loop to read the files again.
type request struct {
	force  bool
	actor  string
	answer chan<- admin.ReloadResult // nil: nobody waits; else it holds one
}

// reload asks for a reload and waits for its outcome.
func (g *gateway) reload(ctx context.Context, force bool, actor string) (admin.ReloadResult, error) {
	answer := make(chan admin.ReloadResult, 1)
	select {
	case g.requests <- request{force, actor, answer}:
	case <-ctx.Done():
		return admin.ReloadResult{}, ctx.Err()
	case <-g.leaving:
		return admin.ReloadResult{}, fmt.Errorf("the process is going down; nothing is reloaded any more")
	}
	select {
	case result := <-answer:
		return result, nil
	case <-ctx.Done():
		return admin.ReloadResult{}, ctx.Err()
	}
}

// tick asks for a reload that nobody waits for; one that is waiting will do.
func (g *gateway) tick() {
	select {
	case g.ticks <- struct{}{}:
	default:
	}
}

// reloadLoop is the only goroutine that changes the world. It ends with ctx.
func (g *gateway) reloadLoop(ctx context.Context) {
	defer close(g.leaving)
	for {
		select {
		case <-ctx.Done():
			return
		case <-g.ticks:
			g.reloadOnce(ctx, request{actor: actorWatcher})
		case <-g.hangups:
			notifyReloading(g.log)
			if err := g.accessLog.reopen(); err != nil {
				g.log.Error("reopen the access log; lines go to the former file", "err", err)
			}
			g.reloadOnce(ctx, request{actor: "SIGHUP"})
			notifySystemd(g.log, "READY=1")
		case r := <-g.requests:
			result := g.reloadOnce(ctx, r)
			r.answer <- result
		}
	}
}

// reloadOnce loads the tree and, if it may, applies it.
func (g *gateway) reloadOnce(ctx context.Context, r request) admin.ReloadResult {
	start := time.Now()
	former := g.current.Load()
	result := admin.ReloadResult{
		At: start, Actor: r.actor, Generation: former.table.Generation(),
		Added: []string{}, Changed: []string{}, Removed: []string{}, Quarantined: []admin.Quarantine{}, Findings: []conf.Finding{}, Notes: []string{},
	}
	next, err := g.loader.load(former)
	switch {
	case err != nil:
		result.Refused = err.Error()
	case !next.result.Applicable():
		result.Findings = next.result.Report.Findings()
		result.Refused = refusal(next.result)
	case next.result.Force != "" && !r.force:
		result.Findings = next.result.Report.Findings()
		result.Refused = next.result.Force + "; if that is meant, run gatehouse reload --force"
	default:
		g.describe(&result, next)
		if !g.differs(former, next) {
			result.Generation = former.table.Generation()
			g.metrics.Reloaded(metrics.ReloadUnchanged)
			break
		}
		g.apply(ctx, next)
		g.metrics.Reloaded(metrics.ReloadApplied)
	}
	result.TookMillis = float64(time.Since(start).Microseconds()) / 1000
	if !result.Applied {
		g.metrics.Reloaded(metrics.ReloadRefused)
	}
	g.record(ctx, result, former)
	return result
}

// refusal says in one line why a compiled tree is not applied.
func refusal(r *tenancy.Result) string {
	if len(r.Broken) > 0 {
		return fmt.Sprintf("under this main file the unchanged files of served tenants no longer compile: %s", joined(r.Broken))
	}
	return "the main file has mistakes"
}

// describe fills in what a reload does once it is applied.
func (g *gateway) describe(result *admin.ReloadResult, next *loaded) {
	result.Applied = true
	result.Generation = next.table.Generation()
	result.Added = nonNil(next.result.Added)
	result.Changed = nonNil(next.result.Changed)
	result.Removed = nonNil(next.result.Removed)
	result.Quarantined = quarantines(next.result)
	result.Findings = next.result.Report.Findings()
	result.Notes = g.restartNotes(next)
}

// differs reports whether there is anything to apply.
func (g *gateway) differs(former, next *loaded) bool {
	return string(former.text) != string(next.text) ||
		len(next.result.Added)+len(next.result.Changed)+len(next.result.Removed) > 0 ||
		!sameCertificates(former.shared, next.shared) ||
		!reflect.DeepEqual(quarantines(former.result), quarantines(next.result))
}

func sameCertificates(a, b shared) bool {
	if len(a.certificates) != len(b.certificates) {
		return false
	}
	for i, c := range a.certificates {
		if c.Digest() != b.certificates[i].Digest() {
			return false
		}
	}
	return true
}

// apply puts a compiled tree into use. It cannot fail: what goes wrong with the
// state folder is logged and costs copies, not service.
func (g *gateway) apply(ctx context.Context, next *loaded) {
	if err := g.issuer.setNames(ctx, internalNames(next.table)); err != nil {
		g.log.Error("the internal CA cannot issue for every host; those hosts are refused", "err", err)
	}
	g.presenter.setFiles(next)
	g.current.Store(next)
	g.server.Apply(next.table)
	g.watcher.setFolders(next.folders)
	g.metrics.Applied(next.table.Generation(), len(next.result.Quarantined))
	g.metrics.CertificateExpiry(g.presenter.expiry())
	g.copies.keep(next.result.LastGood, next.result.Forget)
}

// record keeps and logs the outcome of a reload. One that the watcher started
// is silent when it says what the last one said.
func (g *gateway) record(ctx context.Context, result admin.ReloadResult, former *loaded) {
	last := g.lastReload.Swap(&result)
	applied := result.Generation != former.table.Generation()
	if result.Actor == actorWatcher && !applied && sameOutcome(last, &result) {
		g.lastReload.Store(last)
		return
	}
	for _, f := range result.Findings {
		g.log.WarnContext(ctx, "finding", "severity", f.Severity.String(), "at", f.Pos.String(), "text", f.Text, "hint", f.Hint)
	}
	attrs := []any{"actor", result.Actor, "generation", result.Generation, "took_ms", result.TookMillis}
	switch {
	case !result.Applied:
		g.log.ErrorContext(ctx, "reload refused; the table runs on as it was", append(attrs, "why", result.Refused)...)
	case !applied:
		g.log.InfoContext(ctx, "reload found nothing changed", attrs...)
	default:
		g.log.InfoContext(ctx, "config applied", append(attrs, "tenants", len(g.current.Load().table.Tenants()),
			"added", result.Added, "changed", result.Changed, "removed", result.Removed, "quarantined", len(result.Quarantined))...)
	}
}

// sameOutcome reports whether two reloads say the same to an operator.
func sameOutcome(a, b *admin.ReloadResult) bool {
	return a != nil && a.Applied == b.Applied && a.Refused == b.Refused && slices.Equal(a.Findings, b.Findings)
}

// restartNotes names what differs from what the process was started with and is
// read at start only.
func (g *gateway) restartNotes(next *loaded) []string {
	notes := []string{}
	for _, part := range []struct {
		key       string
		was, will any
	}{
		{"listen", addresses(g.started), addresses(next.config)},
		{"state", g.started.state(g.loader.base()), next.config.state(g.loader.base())},
		{"seal", text(g.started.Seal), text(next.config.Seal)},
		{"log", logText(g.started), logText(next.config)},
	} {
		if !reflect.DeepEqual(part.was, part.will) {
			notes = append(notes, fmt.Sprintf("%s changed; that takes effect with a restart", part.key))
		}
	}
	return notes
}

func quarantines(r *tenancy.Result) []admin.Quarantine {
	list := make([]admin.Quarantine, 0, len(r.Quarantined))
	for _, q := range r.Quarantined {
		list = append(list, admin.Quarantine{Tenant: q.Tenant, File: q.File, Served: q.Served, Findings: q.Findings})
	}
	return list
}

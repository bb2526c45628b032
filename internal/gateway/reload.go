package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
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
		return admin.ReloadResult{}, errors.New("the process is going down; nothing is reloaded any more")
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

// reloadLoop is the only goroutine that puts other files into use; orders of
// operators are laid over them (see enforce). It ends with ctx.
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
				g.log.Error("the access log cannot be opened again; lines go to the former file", "err", err)
			}
			g.reloadOnce(ctx, request{actor: "SIGHUP"})
			notifySystemd(g.log, "READY=1")
		case r := <-g.requests:
			r.answer <- g.reloadOnce(ctx, r)
		}
	}
}

// reloadOnce loads the tree and, if it may, applies it.
func (g *gateway) reloadOnce(ctx context.Context, r request) admin.ReloadResult {
	start := time.Now()
	former := g.current.Load()
	result := admin.ReloadResult{
		At: start, Actor: r.actor,
		Added: []string{}, Changed: []string{}, Removed: []string{}, Quarantined: []admin.Quarantine{}, Findings: []admin.Finding{}, Notes: []string{},
	}
	outcome := metrics.ReloadRefused
	g.sets.ReadFiles()
	next, err := g.loader.load(former)
	switch {
	case err != nil:
		result.Refused = err.Error()
	case !next.result.Applicable():
		result.Findings = nonNil(next.result.Report.Findings())
		result.Refused = refusal(next.result)
	case next.result.Force != "" && !r.force:
		result.Findings = nonNil(next.result.Report.Findings())
		result.Refused = next.result.Force + "; if that is meant, run gatehouse reload --force"
	default:
		g.describe(&result, next)
		if result.Unchanged = !differs(former, next); result.Unchanged {
			outcome = metrics.ReloadUnchanged
			g.issue(ctx, former)
			g.configureACME(next)
			break
		}
		outcome = metrics.ReloadApplied
		g.apply(ctx, next)
	}
	result.Generation = g.current.Load().table.Generation() // orders may have come meanwhile
	if result.Applied {
		g.missNoMore(ctx, next, r.force)
		result.Notes = append(result.Notes, g.absenceNotes()...)
	}
	g.metrics.Reloaded(outcome)
	g.watch(former, next, result.Applied)
	result.TookMillis = float64(time.Since(start).Microseconds()) / 1000
	g.record(ctx, &result)
	return result
}

// refusal says in one line why a compiled tree is not applied.
func refusal(r *tenancy.Result) string {
	if len(r.Broken) > 0 {
		return "under this main file the unchanged files of served tenants no longer compile: " + joined(r.Broken)
	}
	return "the main file has mistakes"
}

// joined lists the first names and counts the rest.
func joined(names []string) string {
	const shown = 10
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// describe fills in what a reload does once it is applied.
func (g *gateway) describe(result *admin.ReloadResult, next *loaded) {
	result.Applied = true
	result.Added = nonNil(next.result.Added)
	result.Changed = nonNil(next.result.Changed)
	result.Removed = nonNil(next.result.Removed)
	result.Quarantined = quarantines(next.result)
	result.Findings = nonNil(next.result.Report.Findings())
	result.Notes = g.restartNotes(next)
}

// nonNil returns an empty list for none, which JSON shows as [].
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// differs reports whether there is anything to apply.
func differs(former, next *loaded) bool {
	return string(former.text) != string(next.text) ||
		len(next.result.Added)+len(next.result.Changed)+len(next.result.Removed) > 0 ||
		!former.pairs.equal(&next.pairs) ||
		!reflect.DeepEqual(quarantines(former.result), quarantines(next.result))
}

// apply puts a compiled tree into use. It cannot fail: what goes wrong with the
// state folder is logged and costs copies, not service.
func (g *gateway) apply(ctx context.Context, next *loaded) {
	g.presenter.prepare(next)
	g.issue(ctx, next)
	g.sets.SetSources(ctx, next.sources())
	next = g.use(next)
	g.canaries.keepOnly(next.table)
	g.presenter.setFiles(next)
	g.configureACME(next)
	g.acme.SetHosts(acmeHosts(next.table))
	g.metrics.Applied(next.table.Generation(), len(next.result.Quarantined))
	g.metrics.CertificateExpiry(g.presenter.expiry())
	g.copies.keep(next.result.LastGood, next.result.Forget)
}

// issue has the internal CA issue for the hosts of a tree.
func (g *gateway) issue(ctx context.Context, l *loaded) {
	if err := g.issuer.setNames(ctx, internalNames(l.table)); err != nil {
		g.log.Error("the internal CA cannot be opened; its hosts are refused until it can", "err", err)
	}
}

// watch watches what the tree in use was read from and, while another one is
// refused, what that one names: somebody mends it there.
func (g *gateway) watch(former, next *loaded, applied bool) {
	folders := former.folders
	switch {
	case applied:
		folders = next.folders
	case next != nil:
		folders = slices.Concat(former.folders, next.folders)
	}
	if g.watcher.setFolders(folders) {
		g.tick()
	}
}

// record keeps and logs the outcome of a reload. One that the watcher started
// is silent when there is nothing new to say.
func (g *gateway) record(ctx context.Context, result *admin.ReloadResult) {
	repeated := result.Refused == g.said.refused && slices.Equal(result.Findings, g.said.findings)
	g.said = said{result.Refused, result.Findings}
	if result.Actor == actorWatcher && repeated && (result.Unchanged || !result.Applied) {
		return
	}
	g.lastReload.Store(result)
	if !repeated {
		g.tell(ctx, result.Findings, result.Quarantined)
	}
	attrs := []any{"actor", result.Actor, "generation", result.Generation, "took_ms", result.TookMillis}
	switch {
	case !result.Applied:
		g.log.ErrorContext(ctx, "reload refused; the table runs on as it was", append(attrs, "why", result.Refused)...)
	case result.Unchanged:
		g.log.InfoContext(ctx, "reload found nothing changed", attrs...)
	default:
		g.log.InfoContext(ctx, "config applied", append(attrs, "tenants", len(g.current.Load().table.Tenants()),
			"added", result.Added, "changed", result.Changed, "removed", result.Removed, "quarantined", len(result.Quarantined))...)
	}
}

// said is what operators were told last about the files.
type said struct {
	refused  string
	findings []admin.Finding
}

// tell logs findings, and the tenants that they cost their new version.
func (g *gateway) tell(ctx context.Context, findings []admin.Finding, quarantined []admin.Quarantine) {
	for _, f := range findings {
		level := slog.LevelInfo
		switch f.Severity {
		case conf.Fault:
			level = slog.LevelError
		case conf.Warning:
			level = slog.LevelWarn
		}
		g.log.Log(ctx, level, "finding", "at", f.Pos.String(), "severity", f.Severity.String(), "text", f.Text, "hint", f.Hint)
	}
	for _, q := range quarantined {
		g.log.ErrorContext(ctx, "tenant quarantined", "tenant", q.Tenant, "file", q.File, "served", q.Served)
	}
}

func quarantines(r *tenancy.Result) []admin.Quarantine {
	list := make([]admin.Quarantine, 0, len(r.Quarantined))
	for _, q := range r.Quarantined {
		list = append(list, admin.Quarantine{Tenant: q.Tenant, File: q.File, Served: q.Served, Findings: nonNil(q.Findings)})
	}
	return list
}

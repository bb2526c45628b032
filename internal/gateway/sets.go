package gateway

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/livesets"
	"gatehouse/ipallow"
)

// sources lists the live sources that the tree names where they decide.
func (l *loaded) sources() []*ipallow.Source {
	return slices.Concat(l.table.Sources(), l.admission.health.Sources(), l.admission.admin.Sources())
}

// sourceFolders lists where files lie that live sources read.
func (l *loader) sourceFolders(next *loaded) []string {
	var folders []string
	for _, s := range next.sources() {
		if s.Kind == ipallow.FileSource {
			folders = append(folders, filepath.Dir(within(l.base(), filepath.FromSlash(s.Target))))
		}
	}
	return folders
}

// newSets makes what asks live sources.
func (g *gateway) newSets() *livesets.Keeper {
	k := livesets.New(livesets.Options{
		Store: g.state.blobs, Log: g.log, Metrics: g.metrics.LiveSets(), Resolver: g.started.resolver(), Base: g.loader.base(),
		MayDial: g.mayFetch, Publish: g.publishSets,
	})
	g.metrics.LiveSets().Stand(k.Stand)
	return k
}

// startSets takes over what live sources listed before, and asks them until ctx
// ends.
func (g *gateway) startSets(ctx context.Context, parts *sync.WaitGroup) {
	if err := g.sets.Load(ctx); err != nil {
		g.log.Error("what live sources of sets listed last cannot be read; they are asked again", "err", err)
	}
	parts.Go(func() { _ = g.sets.Run(ctx) }) // ends with its context alone
}

// publishSets lays what live sources list now over the table in use. As with an
// order of an operator, whatever is wrong with files does not hold it up.
func (g *gateway) publishSets() {
	g.changing.Lock()
	defer g.changing.Unlock()
	current := g.current.Load()
	if current == nil {
		return // the first table begins with it
	}
	next := *current
	next.table = current.table.WithLive(g.sets.Live(), current.table.Generation()+1)
	g.current.Store(&next)
	g.server.Apply(next.table)
	g.metrics.Applied(next.table.Generation(), len(next.result.Quarantined))
}

// setStatus lists the live sources and how they stand.
func (g *gateway) setStatus() []admin.SetStatus {
	list := []admin.SetStatus{}
	for _, s := range g.sets.Status() {
		list = append(list, admin.SetStatus{
			Tenant: s.Source.Owner, Set: s.Source.Set, Source: s.Source.String(), Position: s.Source.Pos.String(),
			State: s.State, Entries: s.Entries, Good: s.Good, Changed: s.Changed, Failing: s.Failing, Why: s.Why,
		})
	}
	return list
}

// layFiles lays what files list over a table that is only looked at, and says
// what was not looked at. No network is asked.
func (l *loader) layFiles(next *loaded, r *conf.Report) {
	known := make(map[ipallow.SourceID]ipallow.Known)
	for _, s := range next.sources() {
		if err := livesets.CheckCA(s, l.base()); err != nil {
			r.Fault(s.Pos, "", "%s cannot be fetched: %v", s, err)
		}
		if s.Kind != ipallow.FileSource {
			r.Note(s.Pos, "", "what %s lists was not looked at: that takes the network", s)
			continue
		}
		contents, err := livesets.ReadFile(s, l.base())
		if err != nil {
			r.Warn(s.Pos, "while it is so, a running gateway goes on with what it listed last", "%s cannot be taken: %v", s, err)
			continue
		}
		known[s.ID()] = ipallow.Known{Contents: contents}
	}
	next.table = next.table.WithLive(ipallow.NewLive(known), next.table.Generation())
}

// sourceNotes says which sets admit or refuse by what is old, or not known.
func (g *gateway) sourceNotes() []string {
	var failing, unknown int
	for _, s := range g.sets.Status() {
		switch {
		case s.State == livesets.Unknown:
			unknown++
		case s.State != livesets.Fresh:
			failing++
		}
	}
	var notes []string
	if failing > 0 {
		notes = append(notes, fmt.Sprintf("live sources of sets that give no good answer: %d; what they listed last is in use for as long as keep says", failing))
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("live sources of sets that have given no good answer yet, and list nobody: %d", unknown))
	}
	return notes
}

package livesets

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/ipallow"
)

// Options are what a Keeper needs.
type Options struct {
	Store    store.Store // keeps the last good answers
	Log      *slog.Logger
	Metrics  *metrics.LiveSets // may be nil
	Resolver Resolver
	Base     string // the main file's folder
	// MayDial judges an address that a URL led to; its error says what it is.
	MayDial func(netip.AddrPort) error
	// Publish is called by Run after what Live returns has changed, never twice at
	// once.
	Publish func()
}

// Keeper knows what live sources list. New makes one, Load gives it what an
// earlier process knew, SetSources says what to ask, Run asks.
type Keeper struct {
	options Options
	log     *slog.Logger
	asker   asker
	woken   chan struct{} // holds one token while there is something to do
	saver   *saver

	mu      sync.Mutex
	saved   map[ipallow.SourceID]saved // of an earlier process, by place; nil once the first sources are set
	entries map[ipallow.SourceID]*entry
	live    *ipallow.Live // nil: to be made again
	news    bool          // Live has changed since it was asked for
}

// New returns a Keeper that knows nothing and asks nobody.
func New(o Options) *Keeper {
	return &Keeper{
		options: o, log: o.Log, asker: asker{o.Resolver, o.Base, o.MayDial},
		woken: make(chan struct{}, 1), saver: newSaver(o.Store, o.Log),
		entries: make(map[ipallow.SourceID]*entry),
	}
}

// firstAnswerTime is how long a table waits for those of its sources of which
// nothing is known: whoever replaces an address by a name means no break.
const firstAnswerTime = 2 * time.Second

// SetSources says which sources there are. What is known of those that stay is
// kept, also where only their pace changes. It waits a moment for what Run asks
// those of which nothing is known, so that a table that names them begins with
// what they list.
func (k *Keeper) SetSources(ctx context.Context, sources []*ipallow.Source) {
	fresh := k.adopt(sources, time.Now())
	k.wake()
	ctx, cancel := context.WithTimeout(ctx, firstAnswerTime)
	defer cancel()
	for _, e := range fresh {
		select {
		case <-e.answered:
		case <-ctx.Done():
			return
		}
	}
}

// adopt replaces the entries, and returns those of which nothing is known.
func (k *Keeper) adopt(sources []*ipallow.Source, now time.Time) (fresh []*entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	former := make(map[ipallow.SourceID]*entry, len(k.entries))
	for _, e := range k.entries {
		former[e.source.Place()] = e
	}
	next := make(map[ipallow.SourceID]*entry, len(sources))
	for _, s := range sources {
		if next[s.ID()] != nil {
			continue
		}
		e := k.entries[s.ID()]
		if e == nil {
			e = newEntry(s)
			if known := former[s.Place()]; known != nil {
				e.inherit(known, now)
			} else {
				k.saved[s.Place()].restore(e, now)
			}
			e.first(now, len(sources))
			if e.contents == nil {
				fresh = append(fresh, e)
			}
		}
		e.source = s // it may stand elsewhere now
		next[s.ID()] = e
	}
	k.entries, k.live, k.saved = next, nil, nil
	return fresh
}

// Live returns what the sources list now. Whoever asks lays it over the table in
// use, so that Publish need not be called for it.
func (k *Keeper) Live() *ipallow.Live {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.news = false
	if k.live == nil {
		known := make(map[ipallow.SourceID]ipallow.Known, len(k.entries))
		for id, e := range k.entries {
			if e.contents != nil {
				known[id] = ipallow.Known{Contents: e.contents, Past: e.past}
			}
		}
		k.live = ipallow.NewLive(known)
	}
	return k.live
}

// ReadFiles has files looked at now, whatever their pace.
func (k *Keeper) ReadFiles() {
	k.mu.Lock()
	for _, e := range k.entries {
		if e.source.Kind == ipallow.FileSource {
			e.due = time.Time{}
		}
	}
	k.mu.Unlock()
	k.wake()
}

func (k *Keeper) wake() {
	select {
	case k.woken <- struct{}{}:
	default: // Run has one to take already
	}
}

// done takes what a question to s, as it stood then, came to.
func (k *Keeper) done(e *entry, s *ipallow.Source, got answer, err error) {
	var contents *ipallow.Contents
	if err == nil && !got.same {
		contents, err = compile(got.prefixes, s.Max)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.wake()
	now := time.Now()
	if k.entries[s.ID()] != e {
		return // it is gone
	}
	defer e.hasAnswered()
	if err != nil {
		k.options.Metrics.Asked(s.Kind.String(), "failed")
		if e.failed(err, now) {
			k.tellFailure(e, now)
		}
		return
	}
	k.take(e, got, contents, now)
}

// take puts a good answer into use. The caller holds mu.
func (k *Keeper) take(e *entry, got answer, contents *ipallow.Contents, now time.Time) {
	former, failed := e.contents, e.failures > 0
	result := "same"
	if e.took(got, contents, now) {
		result = "changed"
		k.live, k.news = nil, true
		if e.contents != former {
			d, added, removed := differ(former, e.contents)
			k.log.Info("what a live source lists has changed", append(attrs(e.source),
				"entries", e.contents.Len(), "added", added, "removed", removed, "new", d.added, "gone", d.removed)...)
		}
	}
	k.options.Metrics.Asked(e.source.Kind.String(), result)
	if failed {
		k.log.Info("a live source answers again", attrs(e.source)...)
	}
	if result == "changed" || now.Sub(e.stored) >= storeEvery {
		e.stored = now
		k.saver.save(e.source, e.contents, e.good)
	}
}

// tellFailure says once what is used while a source fails.
func (k *Keeper) tellFailure(e *entry, now time.Time) {
	about := append(attrs(e.source), "err", e.cause)
	switch {
	case e.contents == nil:
		k.log.Error("a live source gives no good answer and never gave one; it lists nobody until it does", about...)
	case e.past:
		k.log.Error("a live source gives no good answer; its last one is kept too long to admit anybody", append(about, "age", age(e, now))...)
	default:
		k.log.Warn("a live source gives no good answer; its last one stays in use", append(about, "age", age(e, now), "until", e.expires().UTC().Format(time.RFC3339))...)
	}
}

func age(e *entry, now time.Time) string { return now.Sub(e.good).Round(time.Second).String() }

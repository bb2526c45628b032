package livesets

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/store"
	"gatehouse/ipallow"
)

const (
	// savedPrefix is where the last good answers lie in the store.
	savedPrefix = "sets/"
	// savedMost bounds how many are read: ten thousand tenants with one source
	// each, and what their files named before.
	savedMost = 20_000
	// savedTime is how long the answer of a source that no table names stays.
	savedTime = 366 * 24 * time.Hour
	// saveRetryTime is how long after a write that did not work it is tried again.
	saveRetryTime = time.Minute
	// lastSaveTime bounds the last writes when the process goes down.
	lastSaveTime = 5 * time.Second
)

// saved is a last good answer as it is stored.
type saved struct {
	Source   string         `json:"source"` // for whoever looks
	Good     time.Time      `json:"good"`
	Prefixes []netip.Prefix `json:"prefixes"`
}

// restore gives an entry what was stored, as far as the source still takes it.
func (s saved) restore(e *entry, now time.Time) {
	contents, err := compile(s.Prefixes, e.source.Max)
	if err != nil {
		return // nothing was stored, or max is less by now
	}
	e.contents, e.changed = contents, s.Good
	if e.good = s.Good; e.good.After(now) {
		e.good = now
	}
	e.stored = e.good
	e.expire(now)
}

func savedKey(place ipallow.SourceID) string { return savedPrefix + hex.EncodeToString(place[:]) }

// Load reads what an earlier process knew, for the first SetSources. What cannot
// be read is told, and asked for again.
func (k *Keeper) Load(ctx context.Context) error {
	keys, err := k.options.Store.List(ctx, savedPrefix)
	if err != nil {
		return err
	}
	known := make(map[ipallow.SourceID]saved, len(keys))
	for _, key := range keys[:min(len(keys), savedMost)] {
		if err := k.loadOne(ctx, key, known); err != nil {
			k.log.Warn("the last good answer of a live source cannot be read; the source is asked again", "key", key, "err", err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saved = known
	return nil
}

func (k *Keeper) loadOne(ctx context.Context, key string, into map[ipallow.SourceID]saved) error {
	text, err := store.ReadOrSetAside(ctx, k.options.Store, k.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var s saved
	raw, badKey := hex.DecodeString(strings.TrimPrefix(key, savedPrefix))
	if cause := cmp.Or(badKey, json.Unmarshal(text, &s)); cause != nil || len(raw) != len(ipallow.SourceID{}) {
		return store.SetAsideDamaged(ctx, k.options.Store, k.log, key, cmp.Or(cause, errors.New("its name is none that is given")))
	}
	if time.Since(s.Good) > savedTime {
		return k.options.Store.Delete(ctx, key)
	}
	into[ipallow.SourceID(raw)] = s
	return nil
}

// saver stores answers behind whoever gives them: a store that is slow or full
// delays no question.
type saver struct {
	store store.Store
	log   *slog.Logger
	woken chan struct{} // holds one token while something is pending

	mu      sync.Mutex
	pending map[ipallow.SourceID]pendingSave // by place

	behind bool // the last write did not work, and that was logged; run's own
}

type pendingSave struct {
	source   *ipallow.Source
	contents *ipallow.Contents
	good     time.Time
}

func newSaver(s store.Store, log *slog.Logger) *saver {
	return &saver{store: s, log: log, woken: make(chan struct{}, 1), pending: make(map[ipallow.SourceID]pendingSave)}
}

// save has an answer stored.
func (s *saver) save(source *ipallow.Source, contents *ipallow.Contents, good time.Time) {
	s.mu.Lock()
	s.pending[source.Place()] = pendingSave{source, contents, good}
	s.mu.Unlock()
	select {
	case s.woken <- struct{}{}:
	default: // run has one to take already
	}
}

// run stores what is pending until ctx ends, and then what is left.
func (s *saver) run(ctx context.Context) {
	retry := time.NewTimer(saveRetryTime)
	retry.Stop()
	defer retry.Stop()
	for {
		select {
		case <-s.woken:
		case <-retry.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSaveTime)
			defer cancel()
			s.write(last)
			return
		}
		if !s.write(ctx) {
			retry.Reset(saveRetryTime)
		}
	}
}

// write stores what is pending, and reports whether all of it is stored.
func (s *saver) write(ctx context.Context) bool {
	s.mu.Lock()
	work := s.pending
	s.pending = make(map[ipallow.SourceID]pendingSave)
	s.mu.Unlock()
	var trouble error
	for place, p := range work {
		if err := s.writeOne(ctx, place, p); err != nil {
			trouble = err
			s.putBack(place, p)
		}
	}
	switch {
	case trouble != nil && !s.behind:
		s.log.Error("last good answers of live sources are not kept; a restart would begin with older ones; tried again every minute", "err", trouble)
	case trouble == nil && s.behind:
		s.log.Info("last good answers of live sources are kept again")
	}
	s.behind = trouble != nil
	return trouble == nil
}

func (s *saver) writeOne(ctx context.Context, place ipallow.SourceID, p pendingSave) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := json.Marshal(saved{p.source.String(), p.good, p.contents.Prefixes()})
	if err != nil {
		return err
	}
	return s.store.Put(ctx, savedKey(place), text)
}

// putBack makes pending again what was not stored and has not changed since.
func (s *saver) putBack(place ipallow.SourceID, p pendingSave) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, newer := s.pending[place]; !newer {
		s.pending[place] = p
	}
}

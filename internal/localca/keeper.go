package localca

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// checkEvery is how often a Keeper looks at the clock. It does not sleep
	// until the next renewal instead, because the clock of the wall may jump:
	// a machine that starts in 1970 is then served right within a minute of
	// learning the date. A look at 100,000 leaves takes some milliseconds.
	checkEvery = time.Minute

	// renewBatch bounds the leaves that one look renews before they must be:
	// some 0.2 s of one processor. 10,000 leaves that were made together are
	// then renewed over ten minutes, and a million over a day, of the two that
	// a third of their life leaves.
	renewBatch = 1000

	// pressing is how long before its end a leaf no longer waits for its turn:
	// a client whose clock is fast by less must not see it end.
	pressing = 12 * time.Hour

	// saveLimit bounds the last writes when Run ends: what they would save is
	// only the work of issuing again.
	saveLimit = 5 * time.Second
)

// Keeper holds one leaf for each name of a changing set and renews them. Its
// leaves rest in the CA's store, so that a restart does not issue them again.
type Keeper struct {
	ca      *CA
	log     *slog.Logger
	publish func([]*tls.Certificate)

	changed chan struct{} // holds one token while the store is behind

	mu     sync.Mutex // also held while publish runs
	leaves map[string]*tls.Certificate
	names  []string // wanted, sorted; a name without leaf is tried again
	cache  cache

	unsaved bool // the last save did not work and was logged; Run's own
}

// NewKeeper returns a Keeper of no names. publish receives all leaves, sorted
// by name, whenever one changed, from SetNames and from Run, one call at a
// time and the newest set last. The slice is its own; the certificates are
// never written again. publish must not call the Keeper.
func NewKeeper(ca *CA, log *slog.Logger, publish func([]*tls.Certificate)) *Keeper {
	return &Keeper{
		ca:      ca,
		log:     log,
		publish: publish,
		changed: make(chan struct{}, 1),
		leaves:  make(map[string]*tls.Certificate),
		cache:   newCache(ca, log),
	}
}

// SetNames makes names the set to hold leaves for; CA.Issue says what a name
// is, and repeated ones count once. It returns when all have their leaf and
// publish has returned. The first call takes from the store what still serves.
//
// The error joins what was wrong with single names; all others are served.
// It works without Run too, which then neither renews nor saves.
func (k *Keeper) SetNames(ctx context.Context, names []string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var wrong []error
	wanted := slices.Compact(slices.Sorted(slices.Values(names)))
	k.names = slices.DeleteFunc(wanted, func(name string) bool {
		err := checkName(name)
		if err != nil {
			wrong = append(wrong, err)
		}
		return err != nil
	})
	k.drop()
	maps.Copy(k.leaves, k.cache.load(ctx, k.names))
	missing, _ := k.due()
	wrong = append(wrong, k.issue(missing))
	k.publishAll()
	return errors.Join(wrong...)
}

// Run renews leaves and the CA's intermediate, publishes what changed and
// saves it, until ctx is done; then it returns nil. It is called once.
func (k *Keeper) Run(ctx context.Context) error {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveLimit)
			defer cancel()
			k.save(last)
			return nil
		case <-k.changed:
			k.save(ctx)
		case <-ticker.C:
			k.renew(ctx)
			k.save(ctx)
		}
	}
}

// drop forgets the leaves of names that are no longer wanted.
func (k *Keeper) drop() {
	maps.DeleteFunc(k.leaves, func(name string, _ *tls.Certificate) bool {
		_, wanted := slices.BinarySearch(k.names, name)
		if !wanted {
			k.cache.touch(name)
		}
		return !wanted
	})
}

// due returns the names without a leaf that clients accept, and those whose
// leaf they accept for a while yet, though it should be replaced.
func (k *Keeper) due() (missing, old []string) {
	now := k.ca.now()
	for _, name := range k.names {
		leaf := k.leaves[name]
		switch {
		case leaf == nil || now.Before(leaf.Leaf.NotBefore) || !now.Before(leaf.Leaf.NotAfter.Add(-pressing)):
			missing = append(missing, name)
		case !now.Before(RenewAt(leaf)):
			old = append(old, name)
		}
	}
	return missing, old
}

// issue replaces the leaves of names. A former leaf stays where that fails.
func (k *Keeper) issue(names []string) error {
	issued := make([]*tls.Certificate, len(names))
	errs := make([]error, len(names))
	var next atomic.Int64
	var group sync.WaitGroup
	for range k.workers() {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(names); i = int(next.Add(1)) - 1 {
				issued[i], errs[i] = k.ca.Issue(names[i : i+1])
			}
		})
	}
	group.Wait()
	for i, name := range names {
		if errs[i] == nil {
			k.leaves[name] = issued[i]
			k.cache.touch(name)
		}
	}
	return errors.Join(errs...)
}

// workers returns how many processors may issue: half, so that the others go on
// serving, and all where nothing is served yet.
func (k *Keeper) workers() int {
	processors := runtime.GOMAXPROCS(0)
	if len(k.leaves) == 0 {
		return processors
	}
	return max(1, processors/2)
}

// publishAll hands out all leaves and lets Run save what changed.
func (k *Keeper) publishAll() {
	all := make([]*tls.Certificate, 0, len(k.leaves))
	for _, name := range k.names {
		if leaf := k.leaves[name]; leaf != nil {
			all = append(all, leaf)
		}
	}
	k.publish(all)
	select {
	case k.changed <- struct{}{}:
	default: // Run has one to take already
	}
}

func (k *Keeper) renew(ctx context.Context) {
	if err := k.ca.renew(ctx); err != nil {
		k.log.ErrorContext(ctx, "the internal CA is not renewed, the next try is in a minute", "cause", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	due, old := k.due()
	due = append(due, old[:min(len(old), renewBatch)]...)
	if len(due) == 0 {
		return
	}
	err := k.issue(due)
	k.publishAll()
	if err != nil {
		k.log.ErrorContext(ctx, "leaves of the internal CA are not renewed, the former ones stay; the next try is in a minute", "names", len(due), "cause", err)
		return
	}
	k.log.InfoContext(ctx, "leaves of the internal CA renewed", "names", len(due))
}

// save brings the store up to date. The lock is not held while it writes.
func (k *Keeper) save(ctx context.Context) {
	k.mu.Lock()
	work := k.cache.takeStale(k.leaves)
	k.mu.Unlock()
	left, err := k.cache.write(ctx, work)
	k.mu.Lock()
	k.cache.putBack(left)
	k.mu.Unlock()
	switch {
	case err == nil && k.unsaved && len(work) > 0:
		k.unsaved = false
		k.log.InfoContext(ctx, "leaves of the internal CA are saved again")
	case err != nil && !k.unsaved && ctx.Err() == nil:
		k.unsaved = true
		k.log.WarnContext(ctx, "leaves of the internal CA are not saved, a restart would issue them again; tried every minute", "cause", err)
	}
}

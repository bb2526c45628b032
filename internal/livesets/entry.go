package livesets

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"gatehouse/ipallow"
)

// The states of a source.
const (
	Fresh   = "fresh"   // it answered when it was asked last
	Failing = "failing" // it did not; its last good answer is in use
	Past    = "past"    // its last good answer admits nobody any more
	Unknown = "unknown" // it never gave one
)

// entry is a source and what is known of it.
type entry struct {
	source   *ipallow.Source
	contents *ipallow.Contents // nil: it never gave a good answer
	good     time.Time         // when it gave its last one
	changed  time.Time         // when that was another than before
	past     bool              // see ipallow.Known
	mark     string            // of the last answer

	failures int // in a row
	failing  time.Time
	cause    string

	due      time.Time
	asking   bool
	stored   time.Time     // good, as it is stored; zero: it is not
	answered chan struct{} // closed when the first question came to something
}

func newEntry(s *ipallow.Source) *entry { return &entry{source: s, answered: make(chan struct{})} }

// hasAnswered notes that a question came to something.
func (e *entry) hasAnswered() {
	select {
	case <-e.answered:
	default:
		close(e.answered)
	}
}

// inherit goes on with what another entry of the same place knows, as far as the
// source takes it.
func (e *entry) inherit(known *entry, now time.Time) {
	if known.contents == nil || known.contents.Len() > e.source.Max {
		return
	}
	e.contents, e.good, e.changed, e.stored = known.contents, known.good, known.changed, known.stored
	e.expire(now)
}

// The pace of questions.
const (
	// retryLeast is the first wait after a failure of a source that is asked
	// seldom; it doubles up to refresh.
	retryLeast = 30 * time.Second
	// spreadTime is what the first question of each new source adds to the time
	// over which they are spread, where there is something to go on with meanwhile.
	spreadTime = 5 * time.Millisecond
	// storeEvery is how old the time of the last good answer in the store may be.
	storeEvery = time.Hour
	// jitterShare is what each wait differs by, either way: one in so many parts.
	jitterShare = 10
)

// jittered returns d, a tenth more or less.
func jittered(d time.Duration) time.Duration {
	return d - d/jitterShare + rand.N(2*d/jitterShare+1)
}

// first says when a new entry is asked, one of so many.
func (e *entry) first(now time.Time, of int) {
	e.due = now
	if e.contents != nil {
		e.due = now.Add(rand.N(min(e.source.Refresh, time.Duration(of)*spreadTime)))
	}
}

// failed notes a question that came to nothing, and reports whether it is the
// first in a row.
func (e *entry) failed(err error, now time.Time) (first bool) {
	e.asking = false
	e.failures++
	e.cause = err.Error()
	wait := retryLeast
	for range min(e.failures-1, 16) {
		wait = min(2*wait, e.source.Refresh)
	}
	e.due = now.Add(jittered(min(wait, e.source.Refresh)))
	if e.failures == 1 {
		e.failing = now
	}
	return e.failures == 1
}

// took notes a good answer, and reports whether it lists others than the last.
func (e *entry) took(got answer, contents *ipallow.Contents, now time.Time) (changed bool) {
	e.asking, e.failures, e.cause = false, 0, ""
	e.good, e.mark = now, got.mark
	e.due = now.Add(jittered(e.source.Refresh))
	changed = e.past
	e.past = false
	if contents != nil && (e.contents == nil || !e.contents.Equal(contents)) {
		e.contents, e.changed, changed = contents, now, true
	}
	return changed
}

// expires returns when what is known admits nobody any more.
func (e *entry) expires() time.Time { return e.good.Add(e.source.Keep) }

// expire notes that it has come to that, and reports whether that is new.
func (e *entry) expire(now time.Time) bool {
	if e.contents == nil || e.past || now.Before(e.expires()) {
		return false
	}
	e.past = true
	return true
}

func (e *entry) state() string {
	switch {
	case e.contents == nil:
		return Unknown
	case e.past:
		return Past
	case e.failures > 0:
		return Failing
	}
	return Fresh
}

// difference tells what an answer changes. The prefixes of both are sorted.
type difference struct{ added, removed []string }

// told bounds what of a difference goes into the log.
const told = 10

func differ(former, next *ipallow.Contents) (d difference, added, removed int) {
	var before []netip.Prefix
	if former != nil {
		before = former.Prefixes()
	}
	after := next.Prefixes()
	only := func(of, not []netip.Prefix) (names []string, n int) {
		known := make(map[netip.Prefix]bool, len(not))
		for _, p := range not {
			known[p] = true
		}
		for _, p := range of {
			if known[p] {
				continue
			}
			if n++; n <= told {
				names = append(names, p.String())
			}
		}
		return names, n
	}
	d.added, added = only(after, before)
	d.removed, removed = only(before, after)
	return d, added, removed
}

// attrs name a source in the log.
func attrs(s *ipallow.Source) []any {
	return []any{slog.String("set", s.Set), slog.String("tenant", s.Owner), slog.String("source", s.String()), slog.String("at", s.Pos.String())}
}

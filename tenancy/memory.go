package tenancy

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"gatehouse/internal/conf"
)

// memory is what a Table keeps for the compilation after it: what was read and
// what became of it, so that one edit among ten thousand files decodes one.
type memory struct {
	decoder *conf.Decoder
	input   *Input // without Files, FS and Previous, which would keep a chain of tables alive
	records map[string]*record
	matched map[string]bool     // include patterns that matched a file
	pages   [][sha256.Size]byte // of defaults and groups, as the world read them
}

func newMemory(w *world, records map[string]*record) *memory {
	in := *w.in
	in.Previous, in.Files, in.FS, in.LastGood, in.ReadMain, in.ReadSecret = nil, nil, nil, nil, nil, nil
	m := &memory{decoder: w.decoder, input: &in, records: records, matched: make(map[string]bool), pages: w.pages}
	for _, pattern := range in.Main.Include.Values() {
		m.matched[pattern] = true
	}
	for _, pattern := range in.Unmatched {
		m.matched[pattern] = false
	}
	return m
}

// record is what became of one tenant. It is immutable.
type record struct {
	inline  bool
	fresh   attempt // what the file says
	running attempt // what is served; empty if nothing is
	claims  []hostClaim
	judged  *conf.Report // what the cases of running came to
}

// attempt is a version and what became of it. The zero attempt is none.
type attempt struct {
	version *version
	build   *build
}

// serves reports whether the attempt has a tenant to serve.
func (a attempt) serves() bool { return a.build != nil && a.build.tenant != nil }

// entry is one tenant on its way through a compilation.
type entry struct {
	id     string
	file   string // as the operator would type it
	inline bool
	tenant *conf.Entry[TenantSpec] // of the main file, if inline
	source *TenantFile             // otherwise
	old    *record                 // of Previous; nil for a newcomer
	was    *Tenant                 // that Previous serves; nil if it does not

	fresh  attempt
	former attempt      // what ran before, or the last good text; empty if there is none
	asked  bool         // former was looked for
	uses   []backendUse // of former, if it had to be compiled to know them
	chosen attempt      // what is to be served; empty if nothing can be

	trouble conf.Report  // why fresh is not chosen, beyond what its own build says
	judged  *conf.Report // what the cases of chosen came to
	failed  int          // how many of them failed
	stuck   bool         // a tenant of the main file that lost a conflict; it has nothing to fall back to
}

// freshChosen reports whether what the file says is what is served.
func (e *entry) freshChosen() bool {
	return e.chosen.version != nil && e.chosen.version == e.fresh.version && e.chosen.build == e.fresh.build
}

// unchanged reports whether the file says what ran before.
func (e *entry) unchanged() bool {
	if e.inline {
		return e.was != nil && e.fresh.serves() && e.fresh.build.tenant.digest == e.was.digest
	}
	return e.former.version != nil && bytes.Equal(e.former.version.text, e.fresh.version.text)
}

// lookForFormer finds what ran before, or the last good text of an earlier
// process. Its text is read and not yet compiled.
func (e *entry) lookForFormer(w *world) {
	if e.asked {
		return
	}
	e.asked = true
	if e.old != nil && e.old.running.version != nil {
		e.former.version = e.old.running.version
		return
	}
	if e.inline || w.in.LastGood == nil || !isTenantID(e.id) {
		return
	}
	text, ok := w.in.LastGood(e.id)
	switch {
	case !ok:
	case bytes.Equal(text, e.fresh.version.text):
		e.former.version = e.fresh.version
	default:
		e.former.version = readVersion(w.decoder, e.id, e.file+formerLabel, e.fresh.version.dir, text)
	}
}

// fallBack chooses what ran before, compiled against the current sets and
// blocks, or nothing if that is no longer possible.
func (e *entry) fallBack(w *world) {
	e.lookForFormer(w)
	e.chosen = attempt{}
	if e.former.version == nil {
		return
	}
	narrowed := e.narrower(w)
	e.former.build = e.reuseRunning(w, narrowed)
	if e.former.build == nil {
		var before *build
		if e.old != nil {
			before = e.old.running.build
		}
		e.former.build = e.keep(w.buildVersion(e.former.version, before, lenient, narrowed))
	}
	if e.former.serves() {
		e.chosen = e.former
	}
}

// narrower returns the access of the new, broken text, where it can be read
// and says something else: whoever it meant to shut out stays out. Where it
// cannot, that of the broken text before it goes on to count: to mend a file
// with one more mistake lets nobody in again.
func (e *entry) narrower(w *world) narrowing {
	if e.former.version == e.fresh.version {
		return narrowing{}
	}
	by := e.fresh.version
	access := by.readableAccess(w.sets)
	if access == nil && e.old != nil && e.old.running.build != nil {
		if by = e.old.running.build.narrowed.by; by != nil {
			access = by.readableAccess(w.sets)
		}
	}
	if access == nil {
		return narrowing{}
	}
	if former := e.former.version.readableAccess(w.sets); former != nil && former.Digest() == access.Digest() {
		return narrowing{}
	}
	return narrowing{access, by}
}

// reuseRunning returns the build that runs, if compiling it again would come to
// the same.
func (e *entry) reuseRunning(w *world, narrowed narrowing) *build {
	if !w.same || e.old == nil || e.old.running.version != e.former.version {
		return nil
	}
	running := e.old.running.build
	if running.narrowed.access.Digest() != narrowed.access.Digest() || running.filesChanged(w.in, e.former.version) {
		return nil
	}
	return running
}

// keep makes a build that means what is served already keep its pointer.
func (e *entry) keep(b *build) *build {
	if e.was != nil && b.tenant != nil && b.tenant.digest == e.was.digest {
		b.tenant = e.was
	}
	return b
}

// claims returns the hosts that belong to the tenant although it does not
// serve them: those that a broken file names, and all of a tenant that is not
// served. They are refused, and fall to nobody's wildcard.
func (e *entry) claims() []hostClaim {
	switch {
	case e.freshChosen():
		return nil
	case e.chosen.serves():
		return e.fresh.version.hosts
	}
	lists := [][]hostClaim{e.fresh.version.hosts}
	if e.former.version != nil {
		lists = append(lists, e.former.version.hosts)
	}
	if e.old != nil {
		lists = append(lists, e.old.claims)
	}
	seen := make(map[string]bool)
	var claims []hostClaim
	for _, h := range slices.Concat(lists...) {
		if !seen[h.name] {
			seen[h.name] = true
			claims = append(claims, h)
		}
	}
	return claims
}

// lends reports whether the tenant lends an exact name inside its wildcard.
func (e *entry) lends(name string) bool {
	v := e.chosen.version
	if v == nil {
		v = e.fresh.version
	}
	_, ok := v.lends[name]
	return ok
}

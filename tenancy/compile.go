package tenancy

import (
	"bytes"
	"cmp"
	"errors"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"gatehouse/internal/conf"
)

// compilation is one run of Compile.
type compilation struct {
	w        *world
	main     conf.Report // what the main file's own part came to
	previous *Table
	entries  []*entry // by id
	table    *Table
}

// Compile compiles a table and tells what it found on the way. It never fails:
// a Result with MainFaults belongs to a Table that must not be applied, and
// tenants with faults are quarantined.
//
// It reads files through Input alone, and may take as long as that takes. Work
// that came to the same in Previous is not done again.
func Compile(in Input) (*Table, *Result) {
	c := &compilation{previous: in.Previous}
	c.w = newWorld(&in, &c.main)
	c.gather()
	parallel(c.entries, c.read)
	parallel(c.entries, c.build)
	c.settle()
	return c.table, c.conclude()
}

// gather makes an entry of every tenant that is written.
func (c *compilation) gather() {
	in := c.w.in
	inline := make(map[string]conf.Pos, len(in.Main.Tenants))
	for i := range in.Main.Tenants {
		tenant := &in.Main.Tenants[i]
		inline[tenant.Key] = tenant.Pos
		e := c.add(tenant.Key, in.MainFile, true)
		e.tenant = tenant
	}
	for i := range in.Files {
		f := &in.Files[i]
		shown := shownPath(in.MainFile, f.Path)
		if shown == path.Clean(in.MainFile) {
			c.main.Fault(in.Main.includes(f.Path), "put tenant files in a folder of their own", "include names this file, too; expected tenant files alone")
			continue
		}
		id := f.ID
		at, taken := inline[id]
		if taken {
			id = f.Path // no id looks like a path
		}
		e := c.add(id, shown, false)
		e.source = f
		switch start := (conf.Pos{File: shown, Line: 1, Col: 1}); {
		case taken:
			e.trouble.Fault(start, "remove one of the two", "tenant %q is written in the main file, too, at %s", f.ID, at)
		default:
			checkID(id, start, &e.trouble)
		}
	}
	slices.SortFunc(c.entries, func(a, b *entry) int { return cmp.Compare(a.id, b.id) })
}

// includes returns where the pattern is written that names a file.
func (s *MainSpec) includes(file string) conf.Pos {
	for _, item := range s.Include.Items {
		if ok, _ := path.Match(path.Clean(item.V), file); ok {
			return item.Pos
		}
	}
	return s.Include.Pos
}

// add makes an entry and finds what Previous knows about it.
func (c *compilation) add(id, shown string, inline bool) *entry {
	e := &entry{id: id, file: shown, inline: inline}
	if c.previous != nil {
		if old := c.previous.memory.records[id]; old != nil && old.inline == inline {
			e.old = old
		}
		e.was = c.previous.byID[id]
	}
	c.entries = append(c.entries, e)
	return e
}

// read reads what an entry's file says, unless Previous read the same text.
func (c *compilation) read(e *entry) {
	w := c.w
	switch {
	case e.inline && w.same && e.old != nil:
		e.fresh.version = e.old.fresh.version
	case e.inline:
		e.fresh.version = inlineVersion(e.tenant, w.in.MainFile)
	case e.source.Err != nil:
		e.fresh.version = unreadable(e)
	case e.old != nil && e.old.fresh.version.says(e.file, e.source.Text):
		e.fresh.version = e.old.fresh.version
	default:
		e.fresh.version = readVersion(w.decoder, e.id, e.file, path.Dir(e.source.Path), e.source.Text)
	}
}

// unreadable stands for a file that cannot be read, or that is one of two.
func unreadable(e *entry) *version {
	v := &version{id: e.id, file: e.file, dir: path.Dir(e.source.Path), unread: true, spec: new(TenantSpec), report: new(conf.Report)}
	at := conf.Pos{File: e.file, Line: 1, Col: 1}
	if twin := new(twinError); errors.As(e.source.Err, &twin) {
		v.report.Fault(at, "remove one of the two", "%v", twin)
		return v
	}
	v.report.Fault(at, "", "the file cannot be read: %v", plainError(e.source.Err))
	return v
}

// build compiles what an entry's file says, unless Previous did with the same
// outcome, and chooses it if it can be served.
func (c *compilation) build(e *entry) {
	w, v := c.w, e.fresh.version
	if w.same && e.old != nil && e.old.fresh.version == v && !e.old.fresh.build.filesChanged(w.in, v) {
		e.fresh.build = e.old.fresh.build
	} else {
		var before *build
		leniency := strict
		if e.old != nil {
			before = e.old.running.build
			if running := e.old.running.version; running != nil && bytes.Equal(running.text, v.text) && !e.inline {
				leniency = unchanged
			}
		}
		e.fresh.build = e.keep(w.buildVersion(v, before, leniency, narrowing{}))
	}
	switch {
	case e.fresh.serves() && e.trouble.Faults() == 0:
		e.chosen = e.fresh
	case !e.inline:
		e.fallBack(w)
	}
}

// settle resolves what tenants claim from each other, assembles the table and
// judges the cases, until nothing more has to give way. Each round takes at
// least one version out of the running, so it ends.
func (c *compilation) settle() {
	for {
		for c.resolve() {
		}
		c.assemble()
		if !c.judge() {
			return
		}
	}
}

// demote takes the chosen version of a tenant out of the running. What took it
// out is recorded already.
func (c *compilation) demote(e *entry) {
	switch {
	case e.inline:
		e.stuck = true
	case e.freshChosen():
		e.lookForFormer(c.w)
		if e.former.version == e.fresh.version {
			e.chosen = attempt{} // the same text would lose again
			return
		}
		e.fallBack(c.w)
	default:
		e.chosen = attempt{}
	}
}

// judge judges the cases of tenants against the table, and reports whether a
// tenant had to give way. A new version is refused for a case that fails; a
// version that runs already is not.
func (c *compilation) judge() (demoted bool) {
	var refused []*entry
	for _, e := range c.entries {
		if !e.chosen.serves() || e.stuck {
			continue
		}
		if c.w.same && e.old != nil && e.old.running.build == e.chosen.build {
			e.judged = e.old.judged
			continue
		}
		e.judged = new(conf.Report)
		binding := c.w.in.Cases == CasesBind && e.freshChosen() && !e.runsAlready()
		if !binding {
			e.failed = c.table.judgeCases(e.id, e.chosen.build.cases, e.judged.Note, e.judged.Warn)
			continue
		}
		if c.table.judgeCases(e.id, e.chosen.build.cases, e.judged.Note, e.trouble.Fault) > 0 {
			refused = append(refused, e)
		}
	}
	for _, e := range refused {
		c.demote(e)
	}
	return len(refused) > 0
}

// runsAlready reports whether Previous serves what is chosen.
func (e *entry) runsAlready() bool {
	if e.inline {
		return e.unchanged()
	}
	return e.old != nil && e.old.running.version != nil && bytes.Equal(e.old.running.version.text, e.chosen.version.text)
}

// parallel calls do for every entry, on as many processors as there are.
func parallel(entries []*entry, do func(*entry)) {
	workers := min(runtime.GOMAXPROCS(0), len(entries))
	if workers <= 1 {
		for _, e := range entries {
			do(e)
		}
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(entries)); i = next.Add(1) - 1 {
				do(entries[i])
			}
		})
	}
	group.Wait()
}

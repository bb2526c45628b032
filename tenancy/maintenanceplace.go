package tenancy

import (
	"slices"

	"gatehouse/internal/conf"
)

// compileMaintenance compiles what a route came to. Whoever writes it has it
// compiled once, whichever routes it holds for.
func (b *builder) compileMaintenance(list conf.OneOrMany[MaintenanceSpec]) *maintenance {
	if !list.Set() {
		return nil
	}
	if m, shared := b.w.closings[list.Pos]; shared {
		return m
	}
	m, done := b.closings[list.Pos]
	if !done {
		m = sources{b.sets, b.readPage}.compile(list, b.report)
		b.closings[list.Pos] = m
	}
	return m
}

// readPage reads a page that the tenant's text names. The file of a text that
// was accepted before may be gone since; what it held then counts.
func (b *builder) readPage(at conf.At[string]) *Page {
	text, err := b.readFile(at.V)
	if b.leniency == lenient && b.former != nil && readPage(at, text, err, new(conf.Report)) == nil {
		if kept := b.former.kept(at.V); kept != nil {
			b.report.Warn(at.Pos, "what it held before stays in use", "page %q cannot be shown any more", at.V)
			text, err = kept, nil
		}
	}
	b.files[len(b.files)-1].text = text
	return readPage(at, text, err, b.report)
}

// shareMaintenance compiles what defaults and groups say, with the sets and
// pages of the main file.
func (w *world) shareMaintenance(list conf.OneOrMany[MaintenanceSpec], r *conf.Report) {
	if !list.Set() {
		return
	}
	w.closings[list.Pos] = sources{w.sets, func(at conf.At[string]) *Page {
		text, err := w.in.readMain(at.V)
		w.pages = append(w.pages, digestOf(text, err))
		return readPage(at, text, err, r)
	}}.compile(list, r)
}

// readMain reads a file that the main file names.
func (in *Input) readMain(name string) ([]byte, error) {
	v := version{inline: true, dir: "."}
	return v.read(in, name)
}

// samePages reports whether the pages of defaults and groups hold what they
// held when an earlier table was compiled.
func (w *world) samePages(earlier *memory) bool { return slices.Equal(w.pages, earlier.pages) }

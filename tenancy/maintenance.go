package tenancy

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// MaintenanceSpec is a time for which tenant, host or route are closed, as
// written.
type MaintenanceSpec struct {
	Pos    conf.Pos
	From   conf.At[string]              `conf:"from" doc:"when it begins: a date and time with its zone, or with every the time of day; without from and now, a command alone opens it" example:"2026-12-06T22:00 Europe/Riga"`
	Every  conf.OneOrMany[string]       `conf:"every" enum:"day|mon|tue|wed|thu|fri|sat|sun" doc:"the days on which it begins, week by week" example:"[sat, sun]"`
	Zone   conf.At[string]              `conf:"zone" default:"the one in from" doc:"time zone that from is in" example:"Europe/Riga" also:"timezone,tz"`
	For    conf.At[conf.Duration]       `conf:"for" doc:"how long it takes from there, whatever the clocks do meanwhile, 1m to 30d; with every at most 1d" example:"2h" also:"to,until,till,duration"`
	Now    conf.At[bool]                `conf:"now" default:"false" doc:"it is open until this is taken out" example:"true" also:"on,enabled,active"`
	Bypass conf.List[ipallow.EntrySpec] `conf:"bypass" default:"[]" doc:"who is let past it, of those whom access admits" example:"[set:our-noc]"`
	Page   conf.At[string]              `conf:"page" default:"our own" doc:"file with the page that is shown, HTML in UTF-8, at most 64 KiB" example:"pages/acme.html"`
}

const (
	// windowsMost bounds the windows of one place: each is looked at by each
	// request. A year of Sundays is one.
	windowsMost = 50
	// pageBytesMax bounds a page: it lies in memory for each place that names it,
	// and what is larger has its pictures inside.
	pageBytesMax = 64 << 10
	// windowLeast is shorter than anybody notices.
	windowLeast = time.Minute
	// windowMost: what is longer is over when somebody says so; now: true.
	windowMost = 30 * 24 * time.Hour
	// weeklyMost keeps a window from meeting itself, were it every day.
	weeklyMost = 24 * time.Hour
)

// Page is what is shown in place of a page of ours. It is immutable.
type Page struct {
	text   []byte
	digest [sha256.Size]byte
}

// Bytes returns the page as it is to be sent. The caller must not write to it.
func (p *Page) Bytes() []byte { return p.text }

// maintenance is what one place writes about when it is closed. Nil is never.
type maintenance struct{ windows []*window }

// window is one time for which a route is closed. It is immutable.
type window struct {
	always      bool  // it is open
	from, until int64 // Unix seconds; both 0 where it is weekly, or opens by command alone
	weekly      *weekly
	bypass      *ipallow.List
	page        *Page
	pos         conf.Pos
}

// first is the window whose page and bypass hold for a command.
func (m *maintenance) first() *window {
	if m == nil || len(m.windows) == 0 {
		return byCommand
	}
	return m.windows[0]
}

// openAt reports whether w is open, and when it is over; 0 where nobody knows.
func (w *window) openAt(now int64) (until int64, open bool) {
	switch {
	case w.always:
		return 0, true
	case w.weekly != nil:
		return w.weekly.openAt(now)
	}
	return w.until, w.from <= now && now < w.until
}

// opens returns when w opens next, later than now.
func (w *window) opens(now int64) (at int64, ok bool) {
	if w.weekly != nil {
		return w.weekly.next(now), true
	}
	return w.from, w.from > now
}

// closes returns the first window that is open and does not let client past,
// and when the last of those is over; 0 where nobody knows.
func (m *maintenance) closes(client netip.Addr, at ipallow.Moment) (first *window, until int64) {
	for _, w := range m.windows {
		end, open := w.openAt(at.Now)
		if !open || w.bypass.ContainsAt(client, at) {
			continue
		}
		switch {
		case first == nil:
			first, until = w, end
		case end == 0 || until == 0:
			until = 0
		default:
			until = max(until, end)
		}
	}
	return first, until
}

// maintenance says which window keeps client out; w is nil for none.
func (t *Trace) maintenance(m *maintenance, w *window, client netip.Addr, now int64) {
	if t == nil {
		return
	}
	if w != nil {
		text := "closed until it is taken out"
		if end, _ := w.openAt(now); end != 0 {
			text = "closed until " + stamp(time.Unix(end, 0))
		}
		t.refuse(gateMaintenance, w.pos, text)
		return
	}
	var next *window
	var soonest int64
	for _, w := range m.windows {
		if _, open := w.openAt(now); open {
			t.pass(gateMaintenance, w.pos, fmt.Sprintf("closed, and %s bypasses it", client))
			return
		}
		if at, ok := w.opens(now); ok && (next == nil || at < soonest) {
			next, soonest = w, at
		}
	}
	if next != nil {
		t.pass(gateMaintenance, next.pos, "open; closed the next time at "+stamp(time.Unix(soonest, 0)))
	}
}

// checkMaintenance judges what one place says, but for what it names elsewhere.
func checkMaintenance(list conf.OneOrMany[MaintenanceSpec], r *conf.Report) {
	if n := len(list.Items); n > windowsMost {
		r.Fault(list.Pos, "", "maintenance has %d windows; expected at most %d", n, windowsMost)
	}
	for i := range list.Items {
		list.Items[i].V.window(r)
	}
}

// sources are what a window names elsewhere.
type sources struct {
	sets *ipallow.Sets
	page func(at conf.At[string]) *Page // nil after a fault
}

// compile compiles what one place says. What checkMaintenance judges is not
// told again.
func (s sources) compile(list conf.OneOrMany[MaintenanceSpec], r *conf.Report) *maintenance {
	if len(list.Items) == 0 || len(list.Items) > windowsMost {
		return nil
	}
	m := new(maintenance)
	for i := range list.Items {
		spec := &list.Items[i].V
		w := spec.window(new(conf.Report))
		w.bypass = s.sets.Compile(spec.Bypass, r)
		if spec.Page.Set() {
			w.page = s.page(spec.Page)
		}
		m.windows = append(m.windows, w)
	}
	return m
}

// window reads when a window is open.
func (s *MaintenanceSpec) window(r *conf.Report) *window {
	w := &window{pos: s.Pos, always: s.Now.V}
	if _, known := readZone(s.Zone.V); s.Zone.Set() && !known {
		r.Fault(s.Zone.Pos, "", "zone is %q; expected the name of a time zone, like %q", s.Zone.V, "Europe/Riga")
		return w
	}
	switch {
	case s.Now.Set() || !s.From.Set():
		s.checkUntimed(r)
	case s.Every.Set():
		w.weekly = s.readWeekly(r)
	default:
		from, ok := readInstant(s.From.V, s.Zone.V)
		if !ok {
			why := cmp.Or(whyNoTime(s.From.V, s.Zone.V, instantLayouts...), fmt.Sprintf("expected a date and time with its zone, like %q, or zone beside it", "2026-12-06T22:00 Europe/Riga"))
			r.Fault(s.From.Pos, "", "from is %q; %s", s.From.V, why)
			return w
		}
		w.from, w.until = from.Unix(), from.Add(s.length(windowMost, r)).Unix()
	}
	return w
}

// checkUntimed refuses what has no meaning in a window that no clock opens.
func (s *MaintenanceSpec) checkUntimed(r *conf.Report) {
	for _, key := range []struct {
		name string
		pos  conf.Pos
	}{{"from", s.From.Pos}, {"for", s.For.Pos}, {"every", s.Every.Pos}, {"zone", s.Zone.Pos}} {
		switch {
		case key.pos.IsZero():
		case s.Now.Set():
			r.Fault(key.pos, "write now alone, or when it begins", "%s stands beside now at %s", key.name, s.Now.Pos)
		default:
			r.Fault(key.pos, "", "%s stands without from; expected when it begins", key.name)
		}
	}
}

// length returns how long the window takes.
func (s *MaintenanceSpec) length(most time.Duration, r *conf.Report) time.Duration {
	length := time.Duration(s.For.V)
	switch {
	case !s.For.Set():
		r.Fault(s.From.Pos, "add for: 2h", "from stands without for; expected how long it takes")
	case length < windowLeast || length > most:
		r.Fault(s.For.Pos, "", "for is %q; expected %q to %q", s.For.V, conf.Duration(windowLeast), conf.Duration(most))
	}
	return length
}

// readPage judges a page as read; nil after a fault.
func readPage(at conf.At[string], text []byte, err error, r *conf.Report) *Page {
	switch {
	case err != nil:
		r.Fault(at.Pos, "", "page %q cannot be read: %v", at.V, err)
	case len(text) == 0:
		r.Fault(at.Pos, "", "page %q is empty; expected HTML", at.V)
	case len(text) > pageBytesMax:
		r.Fault(at.Pos, "leave pictures to a server that is up", "page %q has %d bytes; expected at most %q", at.V, len(text), conf.Size(pageBytesMax))
	case !utf8.Valid(text):
		r.Fault(at.Pos, "", "page %q is not UTF-8, which is what clients are told", at.V)
	default:
		return &Page{text, sha256.Sum256(text)}
	}
	return nil
}

func (d digester) maintenance(m *maintenance) {
	if m == nil {
		d.numbers(0)
		return
	}
	d.numbers(int64(len(m.windows)))
	for _, w := range m.windows {
		d.flags(w.always, w.weekly != nil, w.page != nil)
		d.numbers(w.from, w.until)
		if w.weekly != nil {
			d.text(w.weekly.zone.String())
			d.flags(w.weekly.days[:]...)
			d.numbers(int64(w.weekly.hour), int64(w.weekly.minute), int64(w.weekly.length))
		}
		sum := w.bypass.Digest()
		d.Write(sum[:])
		if w.page != nil {
			d.Write(w.page.digest[:])
		}
	}
}

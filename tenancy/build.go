package tenancy

import (
	"net/netip"
	"strconv"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// build is what became of one version of a tenant. It is immutable.
type build struct {
	tenant   *Tenant // nil after a fault
	report   *conf.Report
	uses     []backendUse
	files    []reference
	pairs    pairs
	cases    []expectCase
	untils   []int64 // Unix seconds at which entries of its lists end
	narrowed narrowing
}

// backendUse is an address that the tenant sends requests to.
type backendUse struct {
	address string
	shared  bool
	pos     conf.Pos
}

// builder compiles one version of a tenant.
type builder struct {
	w        *world
	v        *version
	former   *build // what ran before; its pairs and authorities may stay. Nil for none
	leniency leniency

	build
	settings SettingsSpec // of the tenant, merged
	ceilings []*Ceiling   // the tenant's, none or one
	written  map[*LimitsSpec]*Ceiling
	sets     *ipallow.Sets
	asked    *asked // what the tenant's tls says about certificates
	overfull bool   // there is more of something than is taken; no more work is spent on the text
	nesting  ipallow.Nesting
	accesses map[*AccessSpec]*ipallow.Access
	pools    map[conf.Pos]interchangeable
	rules    map[*HeadersSpec]*HeaderRules
}

// interchangeable are the backends of one list.
type interchangeable struct {
	backends []*pool.Backend
	key      string // see Route.PoolKey
}

// leniency is how a text is held to what is outside of it.
type leniency uint8

const (
	strict    leniency = iota
	unchanged          // the text runs already: who narrows a shared set is not stopped by it
	lenient            // and there is no other text: what its files held before is good enough, too
)

// narrowing is the access of a text that is not served, which must admit, too.
// The zero narrowing is none.
type narrowing struct {
	access *ipallow.Access
	by     *version // whose it is
}

// buildVersion compiles v.
func (w *world) buildVersion(v *version, former *build, how leniency, narrowed narrowing) *build {
	b := &builder{w: w, v: v, former: former, leniency: how}
	b.report = new(conf.Report)
	b.narrowed = narrowed
	b.pairs.byPlace = make(map[string]*tlsconfig.Certificate)
	b.accesses = make(map[*AccessSpec]*ipallow.Access)
	b.pools = make(map[conf.Pos]interchangeable)
	b.written = make(map[*LimitsSpec]*Ceiling)
	b.rules = make(map[*HeadersSpec]*HeaderRules)
	b.report.Add(v.report)
	t := b.compile()
	b.untils = untilsOf(b.accesses, narrowed.access)
	b.uses = distinctUses(b.uses)
	if b.report.Faults() == 0 && v.spec.Access != nil {
		b.tenant = t
	}
	result := b.build
	return &result
}

// compile works through the text from the tenant to its routes.
func (b *builder) compile() *Tenant {
	spec := b.v.spec
	if group := spec.Group; group.Set() && b.w.groups[group.V] == nil && group.V != "" {
		b.report.Fault(group.Pos, conf.DidYouMean(group.V, b.w.groupNames()), "there is no group %q; expected a group of the main file", group.V)
	}
	b.settings = b.w.settings(spec.Group.V)
	b.lay(&spec.SettingsSpec, &b.settings)
	b.ceilings = b.settings.Limits.ceiling("tenant " + quote(b.v.id)).below(nil)
	b.sets = b.v.compileSets(b.w.sets, b.report)
	t := &Tenant{id: b.v.id, file: b.v.file, weight: b.settings.Limits.weight()}
	t.levels = b.tenantLevels()
	b.asked = b.loadPairs(spec.TLS)
	asks := make([]*asked, len(b.v.hosts)) // by host: what it says itself
	for i, h := range b.v.hosts {
		asks[i] = b.loadPairs(h.spec.TLS)
	}
	t.certificates = b.pairs.loaded
	var common *site
	for i, h := range b.v.hosts {
		if b.overfull {
			return t // it has a fault, so it is not served
		}
		s := common
		if s == nil || h.spec.hasOwn() {
			s = b.compileSite(t, h.spec)
		}
		if !h.spec.hasOwn() {
			common = s
		}
		t.hosts = append(t.hosts, b.compileHost(t, h, s, asks[i]))
	}
	b.readExpect()
	t.digest = digestTenant(t)
	return t
}

// lay judges what a level says and lays it over what wider ones said.
func (b *builder) lay(over, on *SettingsSpec) {
	checkSettings(over, b.report)
	if !over.fits() {
		b.overfull = true
		return
	}
	b.w.decoder.Merge(on, over)
}

// hasOwn reports whether the entry says more than a name.
func (s *HostSpec) hasOwn() bool {
	return s.Access != nil || s.Backends.Set() || len(s.Routes) > 0 || s.SettingsSpec.written()
}

// written reports whether anything is set.
func (s *SettingsSpec) written() bool {
	return s.Timeouts != nil || s.Limits != nil || s.Headers != nil || s.PassHeaders.Set() || s.RequestBuffer.Set() ||
		s.Paths != nil || s.TLS != nil
}

// tenantLevels compiles the tenant's access and, of a quarantined one, what
// the new file says about it.
func (b *builder) tenantLevels() []level {
	levels := []level{{name: "tenant " + quote(b.v.id), access: b.access(b.v.spec.Access)}}
	levels[0].how, _ = levels[0].access.RefuseWith()
	if narrow := b.narrowed.access; narrow != nil {
		how, _ := narrow.RefuseWith()
		levels = append(levels, level{"a newer, broken text of tenant " + quote(b.v.id), narrow, how})
	}
	// The new text may refuse as it likes: whatever is wrong with it must not keep
	// the former one from being served.
	b.checkHandshake(levels[:1])
	return levels
}

// compileHost compiles one name.
func (b *builder) compileHost(t *Tenant, claim hostClaim, s *site, own *asked) *Host {
	h := &Host{name: claim.name, wildcard: claim.name[0] == '*', tenant: t, site: s, pos: claim.pos}
	h.source, h.acmeProfile = b.source(h.name, own)
	switch h.source {
	case FileSource:
		h.hsts = s.hsts
	case ACME:
		h.hsts = s.hsts
		b.noteUnprovable(h)
	case InternalCA:
		if !s.hstsPos.IsZero() {
			b.report.Note(s.hstsPos, "", "host %q is served from the internal CA, so it gets no HSTS", h.name)
		}
	case NoSource:
		b.noteUncovered(h)
	}
	return h
}

func (b *builder) noteUncovered(h *Host) {
	const hint = "name a pair below tls, or use acme or the internal CA"
	if h.wildcard {
		b.report.Note(h.pos, hint, "no certificate covers %q; its handshakes are refused", h.name)
		return
	}
	b.report.Warn(h.pos, hint, "no certificate covers host %q; its handshakes are refused", h.name)
}

const (
	// backendsMost bounds interchangeable backends: more than anyone runs of one
	// application, and each route names all of them.
	backendsMost = 256

	// allBackendsMost bounds the backends of a tenant over all its lists.
	allBackendsMost = 10_000
)

// compileBackends compiles a list once, wherever it is merged to.
func (b *builder) compileBackends(list conf.OneOrMany[pool.BackendSpec]) interchangeable {
	if done, ok := b.pools[list.Pos]; ok {
		return done
	}
	if n := len(list.Items); n > backendsMost || len(b.uses)+n > allBackendsMost {
		b.overfull = true
		b.report.Fault(list.Pos, "", "backends names %d; expected at most %d in a list, and %d in all lists of a tenant", n, backendsMost, allBackendsMost)
		return interchangeable{}
	}
	var backends []*pool.Backend
	var keys []string
	first := make(map[string]conf.Pos, len(list.Items))
	for _, item := range list.Items {
		if item.V.URL.V == "" && item.V.URL.Pos.IsZero() {
			continue // reading it was a fault
		}
		backend := pool.CompileBackend(item, func(string) ([]byte, error) { return b.readCA(item.V.CA) }, b.report)
		if backend == nil {
			continue
		}
		if at, ok := first[backend.Key()]; ok {
			b.report.Warn(item.Pos, "remove one of the two", "backend %q stands here and at %s", item.V.URL.V, at)
			continue
		}
		first[backend.Key()] = item.Pos
		b.checkBackend(backend, item.V.URL)
		backends, keys = append(backends, backend), append(keys, backend.Key())
		b.uses = append(b.uses, backendUse{backend.Address(), backend.Shared(), backend.Pos()})
	}
	if list.Empty() {
		b.report.Fault(list.Pos, "", "backends names none; expected at least one URL")
	}
	b.pools[list.Pos] = interchangeable{backends, strings.Join(keys, "\n")}
	return b.pools[list.Pos]
}

// checkBackend holds a backend to the main file's guards.
func (b *builder) checkBackend(backend *pool.Backend, url conf.At[string]) {
	w := b.w
	if !w.httpsOnly.IsZero() && !backend.TLS() {
		b.report.Fault(url.Pos, "", "backend %q is reached by http; backend_tls at %s wants https", url.V, w.httpsOnly)
	}
	addr, ok := backend.Literal()
	if !ok {
		return // its addresses are judged when it is dialled
	}
	if !w.dialling.inNetworks(addr) {
		b.report.Fault(url.Pos, "", "backend %q is outside backend_networks at %s", url.V, w.in.Main.Require.BackendNetworks.Pos)
	}
	if l := w.dialling.ownListener(netip.AddrPortFrom(addr, backend.Port())); l != nil {
		b.report.Fault(url.Pos, "", "backend %q is our own listener %q; requests would go round in circles", url.V, l.Name)
	}
	for _, l := range w.in.Listeners {
		if m, trusted := l.Trust.Explain(addr, 0); trusted {
			b.report.Fault(url.Pos, "", "backend %q is in the trust set of listener %q (%s at %s); it could name clients as it likes", url.V, l.Name, m, m.Pos)
		}
	}
}

func quote(text string) string { return strconv.Quote(text) }

// distinctUses keeps one use of each address. A tenant shares an address if it
// says so wherever it writes it.
func distinctUses(uses []backendUse) []backendUse {
	at := make(map[string]int, len(uses))
	distinct := uses[:0:0]
	for _, use := range uses {
		i, known := at[use.address]
		switch {
		case !known:
			at[use.address] = len(distinct)
			distinct = append(distinct, use)
		case !use.shared && distinct[i].shared:
			distinct[i] = use
		}
	}
	return distinct
}

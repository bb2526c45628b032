package tenancy

import (
	"strconv"

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
	untils   []int64           // Unix seconds at which entries of its lists end
	sources  []*ipallow.Source // that its lists name, some of them several times
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
	settings     SettingsSpec // of the tenant, merged
	ceilings     []*Ceiling   // the tenant's, none or one
	written      map[*LimitsSpec]*Ceiling
	sets         *ipallow.Sets
	asked        *asked // what the tenant's tls says about certificates
	overfull     bool   // there is more of something than is taken; no more work is spent on the text
	nesting      ipallow.Nesting
	accesses     map[*AccessSpec]*ipallow.Access
	guards       map[*BasicAuthSpec]*Guard
	services     map[*ForwardAuthSpec]*AuthService
	authServices []*AuthService               // each once
	pools        map[conf.Pos][]*pool.Backend // of one list
	plans        map[planKey]*pool.Plan
	named        map[string]*namedPlan // the tenant's pools
	rules        map[*HeadersSpec]*HeaderRules
	closings     map[conf.Pos]*maintenance // of one list
	halves       map[conf.Pos]bool         // settings that need another one, and whether they do anything
	alone        []half                    // those that the text itself writes
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
	b.guards = make(map[*BasicAuthSpec]*Guard)
	b.services = make(map[*ForwardAuthSpec]*AuthService)
	b.pools = make(map[conf.Pos][]*pool.Backend)
	b.plans = make(map[planKey]*pool.Plan)
	b.written = make(map[*LimitsSpec]*Ceiling)
	b.rules = make(map[*HeadersSpec]*HeaderRules)
	b.closings = make(map[conf.Pos]*maintenance)
	b.halves = make(map[conf.Pos]bool)
	b.report.Add(v.report)
	t := b.compile()
	b.untils = untilsOf(b.accesses, narrowed.access)
	b.sources = b.sourcesOf()
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
	b.noteHalves(spec.Limits.halves(), b.settings.Limits.halves())
	b.ceilings = b.settings.Limits.ceiling("tenant " + quote(b.v.id)).below(nil)
	b.compilePools()
	b.sets = b.v.compileSets(b.w.sets, b.report)
	t := &Tenant{id: b.v.id, file: b.v.file, weight: b.settings.Limits.weight(), body: b.settings.limits().Body, retries: b.settings.Retries.allowance()}
	t.levels = b.tenantLevels()
	b.asked = b.loadPairs(spec.TLS)
	asks := make([]*asked, len(b.v.hosts)) // by host: what it says itself
	for i, h := range b.v.hosts {
		asks[i] = b.loadPairs(h.spec.TLS)
	}
	t.certificates = b.pairs.loaded
	b.checkLeads(spec.Redirect, spec.Backends)
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
		b.checkRounds(s, h.name)
	}
	b.noteUnusedPools()
	b.warnOfHalves()
	b.readExpect()
	t.services = b.authServices
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
	b.noteHalves(over.ExchangeSpec.halves(), on.ExchangeSpec.halves())
}

// hasOwn reports whether the entry says more than a name.
func (s *HostSpec) hasOwn() bool {
	return s.Access != nil || s.BasicAuth != nil || s.ForwardAuth != nil || s.Backends.Set() || s.Redirect != nil || s.Canary != nil || s.Mirror != nil || len(s.Routes) > 0 || s.SettingsSpec.written()
}

// written reports whether anything is set.
func (s *SettingsSpec) written() bool {
	return s.Maintenance.Set() || s.Timeouts != nil || s.Limits != nil || s.Headers != nil || s.PassHeaders.Set() || s.RequestBuffer.Set() ||
		s.Balance != nil || s.Sticky != nil || s.Ejection != nil || s.Breaker != nil || s.Health != nil || s.SlowStart.Set() || s.Retries != nil || s.Compression != nil || s.Paths != nil || s.TLS != nil
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

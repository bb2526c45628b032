package tenancy

import (
	"cmp"
	"slices"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
	"gatehouse/tlsconfig"
)

// routesMost bounds the routes of a host: a decision may look at each of them,
// and compiling them compares each with each. Applications have a handful.
const routesMost = 1000

// allRoutesMost bounds the routes of a tenant over all its hosts, so that one
// file cannot hold up everybody's reload.
const allRoutesMost = 20_000

// levelsMost bounds the routes with access of their own that one path may lie
// below. A request asks each of them; applications nest two or three.
const levelsMost = 16

// routeDraft is a route on its way from what tenant and host write.
type routeDraft struct {
	prefix   string // as written first
	pos      conf.Pos
	match    string
	folded   string       // match as it looks without regard to case
	specs    []*RouteSpec // the wider first
	exchange ExchangeSpec
	to       destination
	redirect redirects      // in place of backends
	own      []level        // of this route alone
	guards   []*Guard       // of this route alone
	services []*AuthService // of this route alone
	ceilings []*Ceiling

	bodyLevel string // which of the route's writes limits.body; "" for none
}

// compileSite compiles what hosts that are written alike have in common.
func (b *builder) compileSite(t *Tenant, spec *HostSpec) *site {
	settings := b.settings
	b.lay(&spec.SettingsSpec, &settings)
	spec.Retries.checkNarrow(b.report)
	b.checkLeads(spec.Redirect, spec.Backends)
	s := &site{
		levels:   b.hostLevels(t, spec),
		paths:    settings.pathRules(),
		profile:  settings.TLS.ProfileOr(b.w.in.TLS.Profile),
		timeouts: settings.Timeouts.compile(),
		limits:   settings.limitsLike(b.w.limits),
		coded:    settings.Compression.Compile(),
		ceilings: b.narrower("host "+quote(spec.Host.V), spec.Limits, b.ceilings),
	}
	if spec.hasOwn() {
		s.host = spec.Host.V
	}
	if spec.Limits.writesBody() {
		s.bodyLevel = "host " + quote(spec.Host.V)
	}
	for _, g := range []*Guard{b.guard("tenant "+quote(t.id), b.v.spec.BasicAuth), b.guard("host "+quote(spec.Host.V), spec.BasicAuth)} {
		if g != nil {
			s.guards = append(s.guards, g)
		}
	}
	s.services = addService(s.services, b.authService("tenant "+quote(t.id), b.v.spec.ForwardAuth))
	s.services = addService(s.services, b.authService("host "+quote(spec.Host.V), spec.ForwardAuth))
	b.checkWholePaths(s, &settings)
	b.compileHSTS(s, settings.TLS.HSTS)
	if len(t.routes) > allRoutesMost {
		b.overfull = true
		b.report.Fault(b.v.spec.Pos, "write what hosts have in common once, on the tenant",
			"the tenant has more than %d routes, those of all hosts taken together", allRoutesMost)
		return s
	}
	drafts := b.draftRoutes(&settings, spec)
	if b.overfull {
		return s
	}
	b.protect(s, t, drafts, &settings)
	for _, d := range drafts {
		r := b.compileRoute(t, s, d)
		r.keptOpen = d.keptOpen(spec)
		s.routes = append(s.routes, r)
		s.reach = max(s.reach, len(d.match)+1, len(d.folded)+1)
	}
	b.nest(s, t, drafts)
	b.checkRounds(s, "")
	b.warnUncovered(s, drafts)
	return s
}

// compileHSTS compiles the merged policy. What the main file says alone is
// judged where that file is read.
func (b *builder) compileHSTS(s *site, merged *tlsconfig.HSTSSpec) {
	own := merged != nil && merged != b.w.in.TLS.HSTS
	report := b.report
	if !own {
		report = new(conf.Report)
	}
	s.hsts = tlsconfig.CompileHSTS(merged, report).Header()
	if own && merged.Pos.File == b.v.file {
		s.hstsPos = merged.Pos
	}
}

// draftRoutes gathers the routes of tenant and host by what they match, the
// longest first. A host's own backends are the route "/".
func (b *builder) draftRoutes(settings *SettingsSpec, host *HostSpec) []*routeDraft {
	byMatch := make(map[string]*routeDraft)
	to, redirect := b.outset(host)
	switch {
	case redirect.spec != nil:
		byMatch[""] = &routeDraft{prefix: "/", pos: redirect.spec.Pos, exchange: settings.ExchangeSpec, redirect: redirect}
	case to.backends.Set():
		byMatch[""] = &routeDraft{prefix: "/", pos: to.backends.Pos, exchange: settings.ExchangeSpec, to: to}
	}
	for i, routes := range []conf.Map[RouteSpec]{b.v.spec.Routes, host.Routes} {
		if len(routes) > routesMost {
			b.tooManyRoutes(routes[routesMost].Pos, len(routes), host)
			return nil
		}
		level := make(map[string]conf.Pos, len(routes))
		for k := range routes {
			e := &routes[k]
			match, ok := b.readPrefix(e.Key, e.Pos, settings.pathRules())
			if !ok {
				continue
			}
			if at, twice := level[match]; twice {
				b.report.Fault(e.Pos, "keep one of the two", "route %q owns the same paths as the one at %s", e.Key, at)
				continue
			}
			level[match] = e.Pos
			d := byMatch[match]
			if d == nil {
				d = &routeDraft{prefix: e.Key, pos: e.Pos, exchange: settings.ExchangeSpec, to: to, redirect: redirect}
				byMatch[match] = d
			}
			d.match, d.folded, d.prefix, d.pos = match, foldedMatch(match), e.Key, e.Pos
			b.mergeRoute(d, &e.V)
			d.lead(&e.V, host, i == 1)
			if e.V.Limits.writesBody() {
				d.bodyLevel = routeName(e.Key, host, i == 1)
			}
			if g := b.guard(routeName(e.Key, host, i == 1), e.V.BasicAuth); g != nil {
				d.guards = append(d.guards, g)
			}
			d.services = addService(d.services, b.authService(routeName(e.Key, host, i == 1), e.V.ForwardAuth))
			d.ceilings = b.narrower(routeName(e.Key, host, i == 1), e.V.Limits, d.ceilings)
		}
	}
	drafts := make([]*routeDraft, 0, len(byMatch))
	for _, d := range byMatch {
		drafts = append(drafts, d)
	}
	slices.SortFunc(drafts, func(a, c *routeDraft) int {
		return cmp.Or(cmp.Compare(len(c.folded), len(a.folded)), cmp.Compare(a.match, c.match))
	})
	if len(drafts) > routesMost {
		b.tooManyRoutes(drafts[0].pos, len(drafts), host)
		return nil
	}
	if len(drafts) == 0 {
		b.report.Fault(b.v.spec.Pos, "add backends: [URL]", "host %q has neither backends nor routes", host.Host.V)
	}
	return drafts
}

func (b *builder) tooManyRoutes(at conf.Pos, n int, host *HostSpec) {
	b.overfull = true
	b.report.Fault(at, "", "host %q has %d routes; expected at most %d", host.Host.V, n, routesMost)
}

// mergeRoute lays what one place says over what wider ones said.
func (b *builder) mergeRoute(d *routeDraft, spec *RouteSpec) {
	checkExchange(&spec.ExchangeSpec, b.report)
	checkRouteTimeouts(spec.Timeouts, b.report)
	checkRouteLimits(spec.Limits, b.report)
	spec.Retries.checkNarrow(b.report)
	b.checkLeads(spec.Redirect, spec.Backends)
	spec.checkRewrite(b.report)
	if !spec.fits() {
		b.overfull = true
		return
	}
	b.w.decoder.Merge(&d.exchange, &spec.ExchangeSpec)
	b.noteHalves(spec.halves(), d.exchange.halves())
	d.to = d.to.below(spec.destination())
	checkBesidePool(spec, b.report)
	d.specs = append(d.specs, spec)
}

// readPrefix returns a prefix in the form in which paths are compared, without
// its last slash.
func (b *builder) readPrefix(prefix string, at conf.Pos, rules pathRules) (match string, ok bool) {
	switch {
	case !strings.HasPrefix(prefix, "/"):
		b.report.Fault(at, "", "route %q does not begin with /; a route is a path prefix like %q", prefix, "/reports/")
		return "", false
	case strings.ContainsAny(prefix, "?#"):
		b.report.Fault(at, "", "route %q has a query or fragment; a route is a path prefix like %q", prefix, "/reports/")
		return "", false
	case strings.Contains(prefix, "*"):
		b.report.Fault(at, "", "route %q has a *; a prefix owns every path below it without one", prefix)
		return "", false
	}
	if why := rules.ambiguity([]byte(prefix)); why != "" {
		b.report.Fault(at, "", "route %q matches no path that is taken: %s", prefix, why)
		return "", false
	}
	var buffer pathBuffer
	form := comparable(&buffer, []byte(prefix), false, prefixBytesMax+1)
	if len(form) > prefixBytesMax {
		b.report.Fault(at, "", "route %q is longer than %d bytes", prefix, prefixBytesMax)
		return "", false
	}
	return strings.TrimSuffix(string(form), "/"), true
}

// protected reports whether the route has access or authentication of its own.
func (d *routeDraft) protected() bool { return len(d.own)+len(d.guards)+len(d.services) > 0 }

// protect compiles access and authentication of routes, and holds a host that has any to what
// that takes.
func (b *builder) protect(s *site, t *Tenant, drafts []*routeDraft, settings *SettingsSpec) {
	wider := t.levels[0].how
	if len(s.levels) > 0 {
		wider = s.levels[0].how
	}
	var first conf.Pos
	what := ""
	for _, d := range drafts {
		for _, spec := range d.specs {
			if spec.Access != nil {
				d.own = append(d.own, b.routeLevel(spec.Access, d.prefix, wider))
			}
			switch {
			case what != "":
			case spec.Access != nil:
				first, what = spec.Access.Pos, "access"
			case spec.BasicAuth != nil:
				first, what = spec.BasicAuth.Pos, "authentication"
			case spec.ForwardAuth != nil:
				first, what = spec.ForwardAuth.Pos, "authentication"
			}
		}
	}
	if what == "" {
		return
	}
	s.paths.protected = true
	if settings.Paths != nil && len(settings.Paths.Allow.Items) > 0 {
		b.report.Fault(first, "write paths: {allow: []} here, or give the route a host of its own",
			"a route has %s of its own, and paths.allow at %s is not empty; programs differ in how they read such paths", what, settings.Paths.Allow.Pos)
	}
	b.checkCase(drafts)
	for _, d := range drafts {
		if why := s.paths.ambiguity([]byte(d.prefix)); why != "" {
			b.report.Fault(d.pos, "", "route %q matches no path that is taken: %s", d.prefix, why)
		}
	}
}

// checkCase refuses routes that differ in case only: protected ones match
// without regard to it.
func (b *builder) checkCase(drafts []*routeDraft) {
	seen := make(map[string]*routeDraft, len(drafts))
	for _, d := range drafts {
		other := seen[d.folded]
		if other == nil {
			seen[d.folded] = d
			continue
		}
		if d.protected() || other.protected() {
			first, second := d, other
			if first.pos.Compare(second.pos) > 0 {
				first, second = second, first
			}
			b.report.Fault(second.pos, "", "route %q differs from %q at %s in case only, and a route with access or authentication matches any case", second.prefix, first.prefix, first.pos)
		}
	}
}

// foldedMatch is match as paths look to a protected route.
func foldedMatch(match string) string {
	var buffer pathBuffer
	return string(comparable(&buffer, []byte(match), true, prefixBytesMax+1))
}

// compileRoute compiles a route but for the levels of routes around it.
func (b *builder) compileRoute(t *Tenant, s *site, d *routeDraft) *Route {
	r := &Route{
		prefix:    d.prefix,
		match:     d.match,
		fold:      d.protected(),
		timeouts:  d.exchange.Timeouts.compile(),
		limits:    d.exchange.limitsLike(s.limits),
		bodyPos:   d.exchange.bodyPos(),
		bodyLevel: d.bodyLevel,
		ceilings:  slices.Concat(d.ceilings, s.ceilings),
		attempts:  d.exchange.Retries.attempts(),
		buffer:    d.exchange.requestBuffer(),
		coded:     d.exchange.Compression.Compile().Like(s.coded),
		headers:   b.compileHeaders(d.exchange.Headers),
		pass:      d.exchange.passHeaders(),
		closing:   b.compileMaintenance(d.exchange.Maintenance),
		rewrite:   d.compileRewrite(),
		index:     len(t.routes),
		host:      s.host,
		pos:       d.pos,

		codedPos:   d.exchange.codingsPos(),
		retriesPos: d.exchange.Retries.written(),
	}
	if r.fold {
		r.match = d.folded
	}
	switch {
	case d.redirect.spec != nil:
		r.plan, r.redirect = new(pool.Plan), d.redirect.spec.compile(d.redirect.match)
	case d.to.backends.Set():
		r.plan = b.compilePlan(d.to.backends, &d.exchange.PoolRulesSpec)
		r.canary = b.compileCanary(d.to.canary, &d.exchange.PoolRulesSpec, r.plan)
		r.mirror = b.compileMirror(d.to.mirror, &d.exchange.PoolRulesSpec, r.plan)
	default:
		r.plan = new(pool.Plan)
		b.report.Fault(d.pos, "add backends: [URL]", "route %q has no backends, and neither has its tenant", d.prefix)
	}
	t.routes = append(t.routes, r)
	return r
}

// nest gives each route the levels of every route whose prefix contains its
// own: those are all that a path of the route can lie below. Drafts and routes
// are in the same order, the longest first.
func (b *builder) nest(s *site, t *Tenant, drafts []*routeDraft) {
	outermost := slices.Concat(t.levels[:1], s.levels)
	for i, r := range s.routes {
		var guards []*Guard
		var services []*AuthService
		for _, outer := range slices.Backward(drafts) {
			if contains(outer.folded, drafts[i].folded) {
				r.levels = append(r.levels, outer.own...)
				guards = append(guards, outer.guards...)
				services = append(services, outer.services...)
			}
		}
		b.nestGuards(r, s, guards)
		if b.nestServices(r, s, services); b.overfull {
			return
		}
		if len(r.levels) > levelsMost {
			b.overfull = true
			b.report.Fault(r.pos, "", "%d routes with access of their own contain the paths of %q; expected at most %d", len(r.levels), r.prefix, levelsMost)
			return
		}
		for k := len(r.levels) - len(drafts[i].own); k < len(r.levels); k++ {
			for _, wider := range slices.Concat(outermost, r.levels[:k]) {
				b.checkNarrower(wider.access, r.levels[k].access)
			}
		}
	}
}

// contains reports whether every path below inner is below outer.
func contains(outer, inner string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (rest == "" || rest[0] == '/')
}

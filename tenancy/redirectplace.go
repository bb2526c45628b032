package tenancy

import (
	"strconv"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// redirects is the redirect of a draft: as written, and the prefix that what is
// kept of the path follows; "" where tenant or host say it.
type redirects struct {
	spec  *RedirectSpec
	match string
}

// outset is where a host's requests go that no route sends elsewhere: the
// narrower of tenant and host that says it decides, whichever of the two it says.
func (b *builder) outset(host *HostSpec) (to destination, redirect redirects) {
	tenant := b.v.spec
	to = tenant.destination().below(host.destination())
	to.check(b.report)
	switch {
	case host.Backends.Set():
		return to, redirects{}
	case host.Redirect != nil:
		return to, redirects{spec: host.Redirect}
	case tenant.Backends.Set():
		return to, redirects{}
	}
	return to, redirects{spec: tenant.Redirect}
}

// lead has a route go where spec says. A host that leads elsewhere does so for
// the routes of its tenant, too; only its own routes differ from it.
func (d *routeDraft) lead(spec *RouteSpec, host *HostSpec, hosts bool) {
	if host.Redirect != nil && !hosts {
		return
	}
	switch {
	case spec.Redirect != nil:
		d.redirect = redirects{spec.Redirect, d.match}
	case spec.Backends.Set():
		d.redirect = redirects{}
	}
}

// checkLeads refuses a level that goes to two places.
func (b *builder) checkLeads(redirect *RedirectSpec, backends conf.OneOrMany[pool.BackendSpec]) {
	if redirect != nil && backends.Set() {
		b.report.Fault(redirect.Pos, "keep one of the two", "redirect stands beside backends at %s, which it would take the place of", backends.Pos)
	}
}

// checkRounds warns about redirects that lead to themselves, on the host with
// this name; "" for those that name no host.
func (b *builder) checkRounds(s *site, host string) {
	for _, r := range s.routes {
		if r.redirect == nil || r.redirect.leads.host != host || host != "" && !b.publicPort(r.redirect.leads.port) {
			continue
		}
		to := r.redirect.leads
		path, _, _ := strings.Cut(to.path, "#")
		path, _, _ = strings.Cut(path, "?")
		if s.find([]byte(path)) == r {
			b.report.Warn(r.redirect.pos, "", "%q leads back to the redirect itself; browsers give up on it", to.origin+to.path)
		}
	}
}

// publicPort reports whether a port of a URL is that which clients reach us at.
func (b *builder) publicPort(written string) bool {
	port := strconv.Itoa(max(b.w.in.PublicPort, 0))
	if b.w.in.PublicPort == 0 {
		port = strconv.Itoa(httpsPort)
	}
	return written == port || written == "" && port == strconv.Itoa(httpsPort)
}

// leadsElsewhere judges a verdict that nothing refuses: what a route redirects
// is not forwarded.
func (v Verdict) leadsElsewhere(tr *Trace) Verdict {
	if v.Action == Forward && v.Route != nil && v.Route.redirect != nil {
		tr.pass(gateRedirect, v.Route.redirect.pos, v.Route.redirect.String())
		v.Action = Redirect
	}
	return v
}

// Redirect returns where the route leads clients; nil where it forwards.
func (r *Route) Redirect() *RedirectRule { return r.redirect }

// destination says where the route's requests go.
func (r *Route) destination() string {
	if r.redirect != nil {
		return "a redirect"
	}
	return planWords(r.plan)
}

func (d digester) redirect(r *RedirectRule) {
	if r == nil {
		d.numbers(0)
		return
	}
	d.numbers(int64(r.Status), int64(r.from))
	d.text(r.leads.origin, r.leads.path)
	d.flags(r.path, r.rest, r.query)
}

package tenancy

import (
	"slices"
	"strings"
)

// AuthServices returns whom the route has asked about each request, the widest
// level first; none where nobody is asked. The caller must not write to it.
func (r *Route) AuthServices() []*AuthService { return r.services }

// AuthKeys returns what tells the services of a route from others: a request that
// was admitted by the same is admitted still. It holds on to nothing else of the
// table, and the caller must not write to it.
func (r *Route) AuthKeys() []string { return r.authKeys }

// Vouched reports whether a field may come from an auth service alone, also by a
// name that backends of the CGI family take for it: a client's is removed, whether
// the service sets one or not. It does not allocate.
func (r *Route) Vouched(name []byte) bool {
	for _, vouched := range r.vouched {
		if SameVariable(vouched, name) {
			return true
		}
	}
	return false
}

// SameVariable reports whether programs that turn names of fields into variables, as
// CGI does (RFC 3875 section 4.1.18), may take name for lowered: to them, whatever
// is neither letter nor digit is the same.
func SameVariable(lowered string, name []byte) bool {
	if len(lowered) != len(name) {
		return false
	}
	for i, c := range name {
		if variableByte(c) != variableByte(lowered[i]) {
			return false
		}
	}
	return true
}

func variableByte(c byte) byte {
	if c = lower(c); 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
		return c
	}
	return '-'
}

// AuthServices returns the auth services of all levels. The Index of each is its
// place here.
func (t *Tenant) AuthServices() []*AuthService { return slices.Clone(t.services) }

// addService appends what authService returns, unless that is nil.
func addService(list []*AuthService, a *AuthService) []*AuthService {
	if a == nil {
		return list
	}
	return append(list, a)
}

// nestServices gives a route the auth services of every level around its paths.
func (b *builder) nestServices(r *Route, s *site, own []*AuthService) {
	r.services = slices.Concat(s.services, own)
	if len(r.services) > AuthServicesMax {
		b.overfull = true
		b.report.Fault(r.pos, "", "%d levels ask an auth service about the paths of %q; expected at most %d", len(r.services), r.prefix, AuthServicesMax)
		return
	}
	for _, a := range r.services {
		r.authKeys = append(r.authKeys, a.key())
		r.vouched = append(r.vouched, a.toBackend...)
	}
	slices.Sort(r.vouched)
	r.vouched = slices.Compact(r.vouched)
}

// checkWholePaths holds a host to what protected routes take where an auth
// service is asked about all of it: it reads the path that its backends read
// again, and may admit one and not another.
func (b *builder) checkWholePaths(s *site, settings *SettingsSpec) {
	if len(s.services) == 0 {
		return
	}
	s.paths.protected = true
	if settings.Paths != nil && len(settings.Paths.Allow.Items) > 0 {
		b.report.Fault(s.services[0].pos, "write paths: {allow: []} here, or give what needs them a host of its own",
			"an auth service is asked about the paths, and paths.allow at %s is not empty; programs differ in how they read such paths", settings.Paths.Allow.Pos)
	}
}

// vouchedFor judges who asks, as auth services would: user is somebody whom all
// of them are taken to admit, "" somebody who has not signed in.
func (v Verdict) vouchedFor(user string, tr *Trace) Verdict {
	if v.Action != Forward {
		return v
	}
	for _, a := range v.Route.services {
		if user == "" {
			tr.refuse(gateAuth, a.pos, a.name+" has "+a.address()+" asked; it is taken to refuse who has not signed in")
			return Verdict{Reason: AuthRequired, Status: AuthRequired.Status(), Tenant: v.Tenant, Host: v.Host, Route: v.Route}
		}
		tr.pass(gateAuth, a.pos, a.name+" has "+a.address()+" asked; it is taken to admit "+quote(user))
	}
	return v
}

// address is where the service is asked, without its query: secrets may stand in
// that.
func (a *AuthService) address() string {
	path, _, _ := strings.Cut(a.path, "?")
	return a.origin + path
}

func (d digester) services(services []*AuthService) {
	d.numbers(int64(len(services)))
	for _, a := range services {
		d.text(a.key())
		d.numbers(int64(a.Timeout))
	}
}

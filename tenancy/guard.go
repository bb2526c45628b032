package tenancy

import (
	"fmt"
	"slices"

	"gatehouse/internal/conf"
	"gatehouse/internal/password"
)

// GuardsMax bounds the levels with authentication of their own that one path may
// lie below: each costs a hash of the same password.
const GuardsMax = 4

// Guard is the basic authentication of one level (RFC 7617). All guards of a
// route must admit. It is immutable.
type Guard struct {
	name      string
	challenge string
	users     *password.Users // nil where check could not read them
	pos       conf.Pos
}

// Name returns the level's, like `tenant "acme"`: once in a tenant.
func (g *Guard) Name() string { return g.name }

// Challenge returns the value of WWW-Authenticate.
func (g *Guard) Challenge() string { return g.challenge }

// Users returns who is admitted, with the right password.
func (g *Guard) Users() *password.Users { return g.users }

// Admits reports whether one of the users has the name and the hash of who, whose
// password was checked against that hash.
func (g *Guard) Admits(who *password.User) bool {
	user := g.users.Known(who.Name)
	return user != nil && user.Hash.Digest() == who.Hash.Digest()
}

// knows reports whether a name is among the users, as far as they are known.
func (g *Guard) knows(name string) bool { return g.users == nil || g.users.Known(name) != nil }

// Guards returns what asks for a password, the widest level first; none where
// nobody does. The caller must not write to it.
func (r *Route) Guards() []*Guard { return r.guards }

// authenticated judges who asks: user is somebody whose password is taken for
// right, "" for somebody who says nothing.
func (v Verdict) authenticated(user string, tr *Trace) Verdict {
	if v.Action != Forward {
		return v
	}
	for _, g := range v.Route.guards {
		switch {
		case user == "":
			tr.refuse(gateAuth, g.pos, g.name+" asks for a name and a password")
		case !g.knows(user):
			tr.refuse(gateAuth, g.pos, fmt.Sprintf("%s has no user %q", g.name, user))
		default:
			tr.pass(gateAuth, g.pos, fmt.Sprintf("%s admits %q with the right password", g.name, user))
			continue
		}
		return Verdict{Reason: AuthRequired, Status: AuthRequired.Status(), Tenant: v.Tenant, Host: v.Host}
	}
	return v
}

// nestGuards gives a route the guards of every level around its paths.
func (b *builder) nestGuards(r *Route, s *site, own []*Guard) {
	r.guards = slices.Concat(s.guards, own)
	if len(r.guards) > GuardsMax {
		b.overfull = true
		b.report.Fault(r.pos, "", "%d levels ask for a password for the paths of %q; expected at most %d", len(r.guards), r.prefix, GuardsMax)
		return
	}
	for i, inner := range r.guards {
		for _, outer := range r.guards[:i] {
			b.warnStrangers(outer, inner)
		}
	}
}

// warnStrangers tells about users of a narrower level whom a wider one does not
// know: a request carries one name, and both must admit it.
func (b *builder) warnStrangers(outer, inner *Guard) {
	if outer.users == nil || inner.users == nil {
		return
	}
	var strangers []string
	for _, name := range inner.users.Names() {
		if !outer.knows(name) {
			strangers = append(strangers, quote(name))
		}
	}
	if len(strangers) > 0 {
		b.report.Warn(inner.pos, "write them there, too, with the same password", "%s never comes in: %s at %s must admit, too, and does not know the name",
			some(strangers), outer.name, outer.pos)
	}
}

// some names the first of what may be many.
func some(names []string) string {
	if n := len(names); n > 1 {
		return fmt.Sprintf("%s, as well as %d more,", names[0], n-1)
	}
	return names[0]
}

package tenancy

import "gatehouse/ipallow"

// access compiles the access of one level once, and holds it to the main file's
// guards. It returns nil where the level says nothing.
func (b *builder) access(spec *AccessSpec) *ipallow.Access {
	if spec == nil {
		return nil
	}
	if done, ok := b.accesses[spec]; ok {
		return done
	}
	a := ipallow.CompileAccess(&spec.AccessSpec, b.sets, b.report)
	b.accesses[spec] = a
	b.checkPublic(a, spec)
	for _, l := range b.w.in.Listeners {
		b.checkTrust(a, l)
	}
	return a
}

// checkPublic holds a level to require.public. A list of all the world is public
// by another name.
func (b *builder) checkPublic(a *ipallow.Access, spec *AccessSpec) {
	if b.w.noPublic.IsZero() || !a.Everybody() {
		return
	}
	if _, public := a.Public(); public {
		b.report.Fault(spec.Public.Pos, "write allow in its place", "access is public; the main file forbids that at %s", b.w.noPublic)
		return
	}
	b.report.Fault(spec.Allow.Pos, "", "allow covers most addresses there are, which is as good as public; the main file forbids that at %s", b.w.noPublic)
}

// checkTrust refuses a client that could say who other clients are.
func (b *builder) checkTrust(a *ipallow.Access, l *Listener) {
	mine, trusted, ok := a.Allow().Overlaps(l.Trust)
	if !ok {
		return
	}
	at := mine.Pos
	if at.File != b.v.file {
		at = a.Pos() // the entry is in a set of another file
	}
	b.report.Fault(at, "", "%s overlaps the trust set of listener %q (%s at %s); who is admitted must not be able to name clients",
		mine, l.Name, trusted, trusted.Pos)
}

// checkHandshake refuses refuse_with: handshake where clients are known too
// late for it.
func (b *builder) checkHandshake(levels []level) {
	if b.w.perRequest == nil {
		return
	}
	for _, l := range levels {
		if _, written := l.access.RefuseWith(); written && l.how == ipallow.RefuseHandshake {
			b.report.Fault(l.access.Pos(), "write refuse_with: 404",
				"%s refuses with handshake, but listener %q knows its clients only by each request", l.name, b.w.perRequest.Name)
		}
	}
}

// checkNarrower tells about entries of a narrower level that a wider one
// refuses. What was in force before is not refused for it: only shared sets can
// have changed.
func (b *builder) checkNarrower(outer, inner *ipallow.Access) {
	if b.leniency >= unchanged {
		b.nesting.Warn(outer, inner, b.report)
		return
	}
	b.nesting.Check(outer, inner, b.report)
}

// inherit returns how a level refuses: as it says, or else as the wider one.
func inherit(a *ipallow.Access, wider ipallow.RefuseWith) ipallow.RefuseWith {
	if how, set := a.RefuseWith(); set {
		return how
	}
	return wider
}

// hostLevels compiles the access of a host entry.
func (b *builder) hostLevels(t *Tenant, spec *HostSpec) []level {
	a := b.access(spec.Access)
	if a == nil {
		return nil
	}
	b.checkNarrower(t.levels[0].access, a)
	levels := []level{{"host " + quote(spec.Host.V), a, inherit(a, t.levels[0].how)}}
	b.checkHandshake(levels)
	return levels
}

// routeLevel compiles the access of a route as one place writes it. There is no
// handshake left to refuse: where the host hides itself, the route does as if
// it did not exist.
func (b *builder) routeLevel(spec *AccessSpec, prefix string, wider ipallow.RefuseWith) level {
	a := b.access(spec)
	how := inherit(a, wider)
	if at := spec.RefuseWith; at.V == ipallow.RefuseHandshake.String() {
		b.report.Fault(at.Pos, "write 404, or handshake on the tenant or host", "route %q refuses with handshake; its path is known only after the handshake", prefix)
	}
	if how == ipallow.RefuseHandshake {
		how = ipallow.Refuse404
	}
	return level{"route " + quote(prefix), a, how}
}

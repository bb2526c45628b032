package ipallow

import (
	"crypto/sha256"
	"net/netip"
	"strconv"
	"time"
)

// RefuseWith is how an address that is not listed is refused.
type RefuseWith uint8

// The ways to refuse.
const (
	Refuse403       RefuseWith = iota // the built-in default
	Refuse404                         // as if there were nothing
	RefuseHandshake                   // as if the host were unknown
)

// String returns the word that operators write.
func (w RefuseWith) String() string {
	switch w {
	case Refuse404:
		return "404"
	case RefuseHandshake:
		return "handshake"
	}
	return "403"
}

// Access is the compiled rule of one level: a tenant, a host or a route. It is
// immutable. A nil Access is a level without a rule of its own and admits
// everybody; that a tenant has one is for the caller to demand.
type Access struct {
	pos        Pos
	public     bool
	reason     string
	allow      *List
	except     *List
	refuseWith RefuseWith
	refuseSet  bool
}

// AdmitsAt reports whether this level admits a. It does not allocate.
func (c *Access) AdmitsAt(a netip.Addr, m Moment) bool {
	if c == nil {
		return true
	}
	return (c.public || c.allow.ContainsAt(a, m)) && !c.except.ContainsAt(a, m)
}

// Admits is AdmitsAt while nothing is known of live sources, at the Unix second
// now; 0 asks as if no `until` had passed.
func (c *Access) Admits(a netip.Addr, now int64) bool { return c.AdmitsAt(a, Moment{Now: now}) }

// Public returns the reason for which everybody is admitted, and false where a
// list decides.
func (c *Access) Public() (reason string, ok bool) {
	if c == nil {
		return "", false
	}
	return c.reason, c.public
}

// Everybody reports whether the level admits all the world, or all but a part
// of it: it is public, or allow covers most addresses of IPv4 or IPv6.
func (c *Access) Everybody() bool { return c == nil || c.public || c.allow.extent().everybody() }

// RefuseWith returns how this level refuses, and false where it does not say so
// and the wider level's word holds.
func (c *Access) RefuseWith() (how RefuseWith, set bool) {
	if c == nil {
		return Refuse403, false
	}
	return c.refuseWith, c.refuseSet
}

// Pos returns where the level's rule is written.
func (c *Access) Pos() Pos {
	if c == nil {
		return Pos{}
	}
	return c.pos
}

// Allow returns the list of who is admitted; nil where everybody is.
func (c *Access) Allow() *List {
	if c == nil {
		return nil
	}
	return c.allow
}

// Except returns the list of who is refused in spite of Allow.
func (c *Access) Except() *List {
	if c == nil {
		return nil
	}
	return c.except
}

// Sources returns the live sources of the level, each as often as it is named.
func (c *Access) Sources() []*Source { return append(c.Allow().Sources(), c.Except().Sources()...) }

// NextUntil returns the first instant later than after at which the level
// changes its mind about somebody.
func (c *Access) NextUntil(after time.Time) (next time.Time, ok bool) {
	next, ok = c.Allow().NextUntil(after)
	if other, has := c.Except().NextUntil(after); has && (!ok || other.Before(next)) {
		next, ok = other, true
	}
	return next, ok
}

// Digest is equal for two levels only if they admit the same addresses at every
// instant and refuse in the same way.
func (c *Access) Digest() [sha256.Size]byte {
	if c == nil {
		return [sha256.Size]byte{}
	}
	allow, except := c.allow.Digest(), c.except.Digest()
	record := append(allow[:], except[:]...)
	record = strconv.AppendBool(record, c.public)
	record = strconv.AppendBool(record, c.refuseSet)
	return sha256.Sum256(append(record, byte(c.refuseWith)))
}

// Cause says why a level admits or refuses an address.
type Cause uint8

// The causes.
const (
	NoRule    Cause = iota // admitted: the level has no rule of its own
	Public                 // admitted: everybody is
	Allowed                // admitted: an entry of allow covers the address
	Excepted               // refused: an entry of except covers it
	Expired                // refused: an entry of allow covered it until its date
	NotListed              // refused: no entry of allow ever covered it
)

// Explanation is the verdict of one level and what decided it.
type Explanation struct {
	Admitted bool
	Cause    Cause
	Match    Match  // the entry that decided, for Allowed, Excepted and Expired
	Pos      Pos    // of that entry, otherwise of the level's rule
	reason   string // of Public
	unknown  string // what is not known of live sources that would count
}

// String says in words what decided, and which live sources could not.
func (e Explanation) String() string { return e.cause() + e.unknown }

func (e Explanation) cause() string {
	switch e.Cause {
	case NoRule:
		return "no rule at this level"
	case Public:
		return "public: " + strconv.Quote(e.reason)
	case Allowed:
		return "allowed by " + e.Match.String()
	case Excepted:
		return "excepted by " + e.Match.String()
	case Expired:
		return "allowed by " + e.Match.String() + ", which has passed"
	}
	return "no entry of allow covers the address"
}

// ExplainAt says what AdmitsAt says, and why.
func (c *Access) ExplainAt(a netip.Addr, m Moment) Explanation {
	if c == nil {
		return Explanation{Admitted: true, Cause: NoRule}
	}
	if match, ok := c.except.ExplainAt(a, m); ok {
		return Explanation{Cause: Excepted, Match: match, Pos: match.Pos}
	}
	excepting := c.except.Unknown(m)
	if c.public {
		return Explanation{Admitted: true, Cause: Public, Pos: c.pos, reason: c.reason, unknown: excepting}
	}
	if match, ok := c.allow.ExplainAt(a, m); ok {
		return Explanation{Admitted: true, Cause: Allowed, Match: match, Pos: match.Pos, unknown: excepting}
	}
	admitting := c.allow.Unknown(m)
	if match, ok := c.allow.expired(a, m.Now); ok {
		return Explanation{Cause: Expired, Match: match, Pos: match.Pos, unknown: admitting}
	}
	return Explanation{Cause: NotListed, Pos: c.pos, unknown: admitting}
}

// Explain is ExplainAt while nothing is known of live sources, at the Unix second
// now; 0 asks as if no `until` had passed.
func (c *Access) Explain(a netip.Addr, now int64) Explanation {
	return c.ExplainAt(a, Moment{Now: now})
}

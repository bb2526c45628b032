package tenancy

import (
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// Two tenants may not claim the same host, a host may not lie inside another
// tenant's wildcard that does not lend it, and two tenants may not use the same
// backend unless both say so. Whoever runs the thing keeps it and the newcomer
// is quarantined; where nobody runs it, nobody gets it.

// rank says how good a tenant's claim is. Of two claims the lower one gives
// way; of two equal ones both do.
type rank uint8

const (
	rankNew    rank = 2 * (iota + 1) // nobody ran it
	rankHeld                         // the tenant runs it, and its file changed
	rankFixed                        // the tenant runs it, and its file did not change
	rankInline rank = 1              // added for the main file: it has no quarantine
)

// hostRank ranks an entry's claim of a host.
func (c *compilation) hostRank(e *entry, name string) rank {
	e.lookForFormer(c.w)
	held := e.former.version != nil &&
		slices.ContainsFunc(e.former.version.hosts, func(h hostClaim) bool { return h.name == name })
	return e.rank(held)
}

// backendRank ranks an entry's use of a backend.
func (c *compilation) backendRank(e *entry, address string) rank {
	held := slices.ContainsFunc(e.formerUses(c.w), func(u backendUse) bool { return u.address == address })
	return e.rank(held)
}

// formerUses returns the backends of what ran before or, at a start, of the last
// good text.
func (e *entry) formerUses(w *world) []backendUse {
	e.lookForFormer(w)
	switch v := e.former.version; {
	case v == nil:
		return nil
	case e.old != nil && e.old.running.build != nil:
		return e.old.running.build.uses
	case v == e.fresh.version:
		return e.fresh.build.uses
	case e.former.build != nil:
		return e.former.build.uses
	case e.uses == nil:
		e.uses = w.buildVersion(v, nil, lenient, narrowing{}).uses
	}
	return e.uses
}

func (e *entry) rank(held bool) rank {
	r := rankNew
	switch {
	case held && (!e.freshChosen() || e.unchanged()):
		r = rankFixed
	case held:
		r = rankHeld
	}
	if e.inline {
		r += rankInline
	}
	return r
}

// holder is who claims a host.
type holder struct {
	e     *entry
	claim *hostClaim
	weak  bool // it is claimed and not served
}

// resolve looks for claims that exclude each other and demotes who has to give
// way. It reports whether anybody had to.
func (c *compilation) resolve() bool {
	losers := make(map[*entry]bool)
	lose := func(e *entry, served bool, at conf.Pos, hint, format string, args ...any) {
		if served && !e.stuck {
			e.trouble.Fault(at, hint, format, args...)
			losers[e] = true
		}
	}
	c.resolveHosts(lose)
	if len(losers) == 0 { // who gives way about a host may not use its backends after all
		c.resolveBackends(lose)
	}
	for _, e := range c.entries {
		if losers[e] {
			c.demote(e)
		}
	}
	return len(losers) > 0
}

// loseFunc records why an entry has to give way. Claims that are not served
// give way to nobody and are not recorded.
type loseFunc func(e *entry, served bool, at conf.Pos, hint, format string, args ...any)

// holders are who claims hosts: exact names, and wildcards by what follows
// their star.
type holders struct{ exact, wild map[string]holder }

// of returns the map and the key that a name belongs in.
func (h *holders) of(name string) (in map[string]holder, key string) {
	if parent, ok := strings.CutPrefix(name, "*."); ok {
		return h.wild, parent
	}
	return h.exact, name
}

func (c *compilation) resolveHosts(lose loseFunc) {
	all := holders{make(map[string]holder, 2*len(c.entries)), make(map[string]holder, len(c.entries)/2)}
	c.eachClaim(func(h holder) {
		in, key := all.of(h.claim.name)
		switch other, taken := in[key]; {
		case !taken:
			in[key] = h
		case other.e != h.e:
			in[key] = c.contest(other, h, lose)
		}
	})
	if len(all.wild) == 0 {
		return
	}
	c.eachClaim(func(h holder) {
		_, parent, ok := strings.Cut(h.claim.name, ".")
		if !ok || h.claim.name[0] == '*' {
			return
		}
		if wild, ok := all.wild[parent]; ok && wild.e != h.e && !wild.e.lends(h.claim.name) {
			c.contestWildcard(h, wild, lose)
		}
	})
}

// eachClaim calls do for every host that is served or claimed.
func (c *compilation) eachClaim(do func(holder)) {
	for _, e := range c.entries {
		if e.chosen.serves() {
			for i := range e.chosen.version.hosts {
				do(holder{e, &e.chosen.version.hosts[i], false})
			}
		}
		claims := e.claims()
		for i := range claims {
			do(holder{e, &claims[i], true})
		}
	}
}

// contest decides between two tenants that claim the same host, and returns
// whose it is for the rest of the round.
func (c *compilation) contest(first, second holder, lose loseFunc) holder {
	name := first.claim.name
	a, b := c.hostRank(first.e, name), c.hostRank(second.e, name)
	if a <= b {
		explainLoss(first, second, a == b, lose)
	}
	if b <= a {
		explainLoss(second, first, a == b, lose)
	}
	if b > a {
		return second
	}
	return first
}

func explainLoss(loser, winner holder, tie bool, lose loseFunc) {
	hint := "remove it from one of the two; " + winner.e.id + " keeps serving it until then"
	verb := "served"
	if tie || winner.weak {
		hint, verb = "remove it from one of the two; neither serves it until then", "claimed"
	}
	lose(loser.e, !loser.weak, loser.claim.pos, hint, "host %q is already %s by tenant %q (%s)",
		loser.claim.name, verb, winner.e.id, winner.claim.pos)
}

// contestWildcard decides about an exact host inside the wildcard of a tenant
// that does not lend it.
func (c *compilation) contestWildcard(exact, wild holder, lose loseFunc) {
	if c.hostRank(exact.e, exact.claim.name) > c.hostRank(wild.e, wild.claim.name) {
		lose(wild.e, !wild.weak, wild.claim.pos, "add lends: ["+exact.claim.name+"]",
			"%q covers the host %q, which tenant %q serves (%s)", wild.claim.name, exact.claim.name, exact.e.id, exact.claim.pos)
		return
	}
	lose(exact.e, !exact.weak, exact.claim.pos, "its owner must say lends: ["+exact.claim.name+"]",
		"host %q is inside %q of tenant %q (%s)", exact.claim.name, wild.claim.name, wild.e.id, wild.claim.pos)
}

func (c *compilation) resolveBackends(lose loseFunc) {
	type holder struct {
		e   *entry
		use backendUse
	}
	holders := make(map[string]holder, len(c.entries))
	for _, e := range c.entries {
		if !e.chosen.serves() {
			continue
		}
		for _, use := range e.chosen.build.uses {
			other, taken := holders[use.address]
			if !taken {
				holders[use.address] = holder{e, use}
				continue
			}
			if use.shared && other.use.shared {
				continue
			}
			a, b := c.backendRank(other.e, use.address), c.backendRank(e, use.address)
			if a <= b {
				loseBackend(other.e, other.use, e, use, lose)
			}
			if b <= a {
				loseBackend(e, use, other.e, other.use, lose)
			}
			if b > a {
				holders[use.address] = holder{e, use}
			}
		}
	}
}

func loseBackend(e *entry, mine backendUse, other *entry, theirs backendUse, lose loseFunc) {
	lose(e, true, mine.pos, "if that is meant, both write {url: ..., shared: true}",
		"backend %q is used by tenant %q as well (%s)", mine.address, other.id, theirs.pos)
}

package dns01

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// challengeLabel is where an authority looks (RFC 8555 section 8.4).
const challengeLabel = "_acme-challenge."

// aliasesMost bounds the aliases that lead from a challenge to where it is
// written. Authorities follow about ten.
const aliasesMost = 8

// Providers are all providers of a main file. They are immutable; nil is none.
type Providers struct {
	list   []*Provider            // as written
	byZone map[string][]*Provider // by zone, without its last dot; those that name tenants first
}

// newProviders indexes providers by zone.
func newProviders(list []*Provider) *Providers {
	ps := &Providers{list: list, byZone: map[string][]*Provider{}}
	for _, open := range []bool{false, true} {
		for _, p := range list {
			for _, zone := range p.zones {
				if (p.tenants == nil) == open {
					ps.byZone[zone] = append(ps.byZone[zone], p)
				}
			}
		}
	}
	return ps
}

// List returns the providers as they are written.
func (ps *Providers) List() []*Provider {
	if ps == nil {
		return nil
	}
	return slices.Clone(ps.list)
}

// For returns the provider whose zone contains name and which admits the
// tenant: the one with the longest zone, and of two with the same zone the one
// that names the tenant. A wildcard's star does not count. It asks nobody.
func (ps *Providers) For(tenant, name string) (*Provider, bool) {
	if ps == nil {
		return nil, false
	}
	for zone, more := normal(name), true; more; _, zone, more = strings.Cut(zone, ".") {
		for _, p := range ps.byZone[zone] {
			if p.Admits(tenant) {
				return p, true
			}
		}
	}
	return nil, false
}

// Admits reports whether any provider may be used for the tenant's hosts: its
// names can be delegated even where no zone contains them.
func (ps *Providers) Admits(tenant string) bool {
	return ps != nil && slices.ContainsFunc(ps.list, func(p *Provider) bool { return p.Admits(tenant) })
}

// Aliaser says what a name is an alias of, and the empty string where it is
// none: *dnsquery.Resolver.
type Aliaser interface {
	CNAME(ctx context.Context, name string) (target string, err error)
}

// Target is where the challenge of a host is written.
type Target struct {
	Provider *Provider
	Name     string   // of the TXT record, without its last dot
	Aliases  []string // what led there from _acme-challenge.HOST; empty: nothing, it is written there itself
}

// NotCovered says that no provider writes the challenge of a host.
type NotCovered struct {
	Name    string // the end of the aliases, where the record would have to be written
	Aliases []string
	Record  string // the record that the owner can set, as one line; empty: no provider admits the tenant
	Why     string
}

// Error returns it in one line.
func (e *NotCovered) Error() string { return e.Why }

// Target follows the aliases from _acme-challenge.HOST, the star of a wildcard
// left off, and returns where its challenge is written, and by whom. An alias
// counts even where a provider has the host's own zone: a name that is an alias
// has no TXT record. The error is a *NotCovered, or one of DNS.
func (ps *Providers) Target(ctx context.Context, dns Aliaser, tenant, host string) (Target, error) {
	name := challengeLabel + normal(host)
	if !ps.Admits(tenant) {
		return Target{}, &NotCovered{Name: name, Why: fmt.Sprintf("no dns provider admits the tenant %q", tenant)}
	}
	var aliases []string
	for {
		next, err := dns.CNAME(ctx, name)
		if err != nil {
			return Target{}, err
		}
		if next == "" {
			break
		}
		next = strings.ToLower(strings.TrimSuffix(next, "."))
		if len(aliases) == aliasesMost || slices.Contains(aliases, next) {
			return Target{}, &NotCovered{
				Name: name, Aliases: aliases, Record: ps.delegation(tenant, host),
				Why: fmt.Sprintf("the aliases of %s do not end", challengeLabel+normal(host)),
			}
		}
		aliases = append(aliases, next)
		name = next
	}
	p, ok := ps.For(tenant, name)
	if !ok {
		return Target{}, &NotCovered{
			Name: name, Aliases: aliases, Record: ps.delegation(tenant, host),
			Why: fmt.Sprintf("no dns provider that admits the tenant %q has a zone that contains %s", tenant, clip(name)),
		}
	}
	return Target{Provider: p, Name: name, Aliases: aliases}, nil
}

// Delegation returns a name of the tenant's providers that the owner of host can
// make its _acme-challenge an alias of, without its last dot.
func (ps *Providers) Delegation(tenant, host string) (target string, ok bool) {
	if ps == nil {
		return "", false
	}
	for _, open := range []bool{false, true} { // those that name the tenant first
		for _, p := range ps.list {
			if (p.tenants == nil) == open && p.Admits(tenant) {
				return p.place(normal(host)), true
			}
		}
	}
	return "", false
}

// delegation is the record that the owner sets, or nothing.
func (ps *Providers) delegation(tenant, host string) string {
	target, ok := ps.Delegation(tenant, host)
	if !ok {
		return ""
	}
	return challengeLabel + normal(host) + ". CNAME " + target + "."
}

// place returns a name in the provider's first zone that belongs to one host
// alone. acme-dns has one name only.
func (p *Provider) place(host string) string {
	zone := p.zones[0]
	if _, fixed := p.writer.(*acmeDNS); fixed {
		return zone
	}
	if name := host + "." + zone; len(name) <= nameBytesMax {
		return name
	}
	digest := sha256.Sum256([]byte(host))
	return hex.EncodeToString(digest[:16]) + "." + zone
}

package tlsconfig

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
)

// Index finds the certificate of a handshake. It is immutable; the number of
// names does not matter to Find. A nil Index holds nothing.
type Index struct {
	byTenant map[string]*scope // "" holds what every tenant may use
}

// scope is the certificates of one tenant.
type scope struct {
	few []*Certificate // while they have few names: all of them, the best first
	// Otherwise they stand by the names that they carry, the best of each name
	// first.
	exact    map[string][]*Certificate
	wildcard map[string][]*Certificate // by the name below the star: "x" for "*.x"
}

// fewNames is how many names are looked through one by one. A map of so few
// takes no less time, and more memory than the certificate of a tenant that has
// one host.
const fewNames = 6

// NewIndex indexes certificates by tenant id. Those of "" serve every tenant
// that has no fitting one of its own.
func NewIndex(scoped map[string][]*Certificate) *Index {
	x := &Index{byTenant: make(map[string]*scope, len(scoped))}
	for tenant, certificates := range scoped {
		x.byTenant[tenant] = newScope(certificates)
	}
	return x
}

func newScope(certificates []*Certificate) *scope {
	ordered := slices.SortedStableFunc(slices.Values(certificates), func(a, b *Certificate) int {
		// Of two of a kind the one that lasts longer is the renewed one.
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.notAfter, a.notAfter))
	})
	total := 0
	for _, c := range ordered {
		total += len(c.names)
	}
	if total <= fewNames {
		return &scope{few: slices.Clip(ordered)}
	}
	s := &scope{exact: make(map[string][]*Certificate, total), wildcard: make(map[string][]*Certificate)}
	for _, c := range ordered {
		for _, name := range c.names {
			if parent, ok := strings.CutPrefix(name, "*."); ok {
				s.wildcard[parent] = append(s.wildcard[parent], c)
			} else {
				s.exact[name] = append(s.exact[name], c)
			}
		}
	}
	return s
}

// With returns an index that differs from x in the certificates of these
// tenants alone: what stands in changed is all that they have from now on. It
// costs a look at each tenant, and nothing for the certificates of the others.
func (x *Index) With(changed map[string][]*Certificate) *Index {
	next := new(Index)
	if x != nil {
		next.byTenant = maps.Clone(x.byTenant)
	}
	if next.byTenant == nil {
		next.byTenant = make(map[string]*scope, len(changed))
	}
	for tenant, certificates := range changed {
		if len(certificates) == 0 {
			delete(next.byTenant, tenant)
			continue
		}
		next.byTenant[tenant] = newScope(certificates)
	}
	return next
}

// Find returns the certificate for a name: the tenant's own before the shared
// ones, an exact name before a wildcard, ECDSA before RSA, but always one that
// the client of hello can verify if there is one. sni is normalised; hello may
// be nil and then everything counts as verifiable. Find returns nil if no
// certificate carries the name. It allocates nothing but to decode a compact
// certificate that was not used of late.
func (x *Index) Find(tenant, sni string, hello *tls.ClientHelloInfo) *tls.Certificate {
	if x == nil {
		return nil
	}
	q := search{hello: hello}
	best := q.in(x.byTenant[tenant], sni)
	if best == nil && tenant != "" {
		best = q.in(x.byTenant[""], sni)
	}
	if best == nil {
		// Nothing that the client can verify: crypto/tls says so by the alert
		// that fits, handshake_failure.
		return q.fallback
	}
	return best
}

// search is one look for a certificate.
type search struct {
	hello    *tls.ClientHelloInfo // nil: everything counts as verifiable
	fallback *tls.Certificate     // the first of that name, verifiable or not
}

// in returns the first certificate of a scope for sni that the client can
// verify.
func (q *search) in(s *scope, sni string) *tls.Certificate {
	if s == nil {
		return nil
	}
	dot := strings.IndexByte(sni, '.')
	if s.few != nil {
		if c := q.among(s.few, sni, false); c != nil || dot <= 0 {
			return c
		}
		return q.among(s.few, sni[dot+1:], true)
	}
	if c := q.first(s.exact[sni]); c != nil || dot <= 0 {
		return c
	}
	return q.first(s.wildcard[sni[dot+1:]])
}

// among looks through certificates of any names.
func (q *search) among(few []*Certificate, name string, wildcard bool) *tls.Certificate {
	for i, c := range few {
		if !c.carries(name, wildcard) {
			continue
		}
		if pair := q.first(few[i : i+1]); pair != nil {
			return pair
		}
	}
	return nil
}

func (q *search) first(candidates []*Certificate) *tls.Certificate {
	for _, candidate := range candidates {
		c := candidate.TLS()
		if q.hello == nil || q.hello.SupportsCertificate(c) == nil {
			return c
		}
		if q.fallback == nil {
			q.fallback = c
		}
	}
	return nil
}

// carries reports whether the certificate has an exact name, or the wildcard of
// a name.
func (c *Certificate) carries(name string, wildcard bool) bool {
	for _, n := range c.names {
		if wildcard == (n[0] == '*') && (n == name || wildcard && n[2:] == name) {
			return true
		}
	}
	return false
}

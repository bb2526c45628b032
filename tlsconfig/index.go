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
	// Otherwise they stand by the names that they carry.
	exact    map[string]ranked
	wildcard map[string]ranked // by the name below the star: "x" for "*.x"
}

// ranked is the certificates of one name. Most have one, which is found without
// a look at a list.
type ranked struct {
	best   *Certificate
	others []*Certificate // the better ones first
}

func (r ranked) with(c *Certificate) ranked {
	if r.best == nil {
		return ranked{best: c}
	}
	return ranked{r.best, append(r.others, c)}
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
	s := &scope{exact: make(map[string]ranked, total), wildcard: make(map[string]ranked)}
	for _, c := range ordered {
		for _, name := range c.names {
			if parent, ok := strings.CutPrefix(name, "*."); ok {
				s.wildcard[parent] = s.wildcard[parent].with(c)
			} else {
				s.exact[name] = s.exact[name].with(c)
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
	for _, c := range few {
		if !c.carries(name, wildcard) {
			continue
		}
		if pair := q.try(c); pair != nil {
			return pair
		}
	}
	return nil
}

func (q *search) first(r ranked) *tls.Certificate {
	if r.best == nil {
		return nil
	}
	if pair := q.try(r.best); pair != nil {
		return pair
	}
	for _, c := range r.others {
		if pair := q.try(c); pair != nil {
			return pair
		}
	}
	return nil
}

// try returns a certificate if the client can verify it.
func (q *search) try(c *Certificate) *tls.Certificate {
	pair := c.TLS()
	if q.hello == nil || q.hello.SupportsCertificate(pair) == nil {
		return pair
	}
	if q.fallback == nil {
		q.fallback = pair
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

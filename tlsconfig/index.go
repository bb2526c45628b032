package tlsconfig

import (
	"cmp"
	"crypto/tls"
	"slices"
	"strings"
)

// Index finds the certificate of a handshake. It is immutable; the number of
// names does not matter to Find. A nil Index holds nothing.
type Index struct {
	byTenant map[string]*scope // "" holds what every tenant may use
}

// scope is the certificates of one tenant by the names that they carry, the
// best of each name first.
type scope struct {
	exact    map[string][]*tls.Certificate
	wildcard map[string][]*tls.Certificate // by the name below the star: "x" for "*.x"
}

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
	s := &scope{exact: make(map[string][]*tls.Certificate), wildcard: make(map[string][]*tls.Certificate)}
	ordered := slices.SortedStableFunc(slices.Values(certificates), func(a, b *Certificate) int {
		// Of two of a kind the one that lasts longer is the renewed one.
		return cmp.Or(cmp.Compare(a.preference(), b.preference()), b.NotAfter().Compare(a.NotAfter()))
	})
	for _, c := range ordered {
		for _, name := range c.names {
			if parent, ok := strings.CutPrefix(name, "*."); ok {
				s.wildcard[parent] = append(s.wildcard[parent], c.pair)
			} else {
				s.exact[name] = append(s.exact[name], c.pair)
			}
		}
	}
	return s
}

// Find returns the certificate for a name: the tenant's own before the shared
// ones, an exact name before a wildcard, ECDSA before RSA, but always one that
// the client of hello can verify if there is one. sni is normalised; hello may
// be nil and then everything counts as verifiable. Find returns nil if no
// certificate carries the name, and allocates nothing itself.
func (x *Index) Find(tenant, sni string, hello *tls.ClientHelloInfo) *tls.Certificate {
	if x == nil {
		return nil
	}
	var fallback *tls.Certificate
	best := x.byTenant[tenant].find(sni, hello, &fallback)
	if best == nil && tenant != "" {
		best = x.byTenant[""].find(sni, hello, &fallback)
	}
	if best == nil {
		// Nothing that the client can verify: crypto/tls says so by the alert
		// that fits, handshake_failure.
		return fallback
	}
	return best
}

// find returns the first certificate for sni that the client can verify, and
// notes in fallback the first one at all.
func (s *scope) find(sni string, hello *tls.ClientHelloInfo, fallback **tls.Certificate) *tls.Certificate {
	if s == nil {
		return nil
	}
	if c := first(s.exact[sni], hello, fallback); c != nil {
		return c
	}
	dot := strings.IndexByte(sni, '.')
	if dot <= 0 {
		return nil
	}
	return first(s.wildcard[sni[dot+1:]], hello, fallback)
}

func first(candidates []*tls.Certificate, hello *tls.ClientHelloInfo, fallback **tls.Certificate) *tls.Certificate {
	for _, c := range candidates {
		if hello == nil || hello.SupportsCertificate(c) == nil {
			return c
		}
		if *fallback == nil {
			*fallback = c
		}
	}
	return nil
}

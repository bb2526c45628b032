package acme

import (
	"crypto/x509"
	"net/netip"
	"slices"

	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/dns01"
	"gatehouse/internal/dnsquery"
	"gatehouse/tlsconfig"
)

// Settings are the compiled demands of the main file. They are immutable.
type Settings struct {
	email       string
	authorities []*authority // in the order in which they are tried; at least one
	challenges  []string     // kinds that may be used, in order of preference
	mustStaple  bool
	dns         *dnsquery.Resolver
	resolvers   []string         // that dns asks, as written; none: the system's
	providers   *dns01.Providers // may be nil: none
	preflight   preflightSettings
	budget      tlsconfig.Budget
}

// preflightSettings say what is looked at before an order is spent.
type preflightSettings struct {
	enabled   bool
	addresses []netip.Addr // ours, though not this machine's
	lostAfter int          // checks in a row that lead elsewhere before renewal ends
}

// authority is one CA as the settings have it. It is immutable.
type authority struct {
	ID        string // for keys of the store: readable, and different for each account
	Name      string // as operators name it
	Directory string // URL
	Profile   string // asked for where the host names none; may be empty
	eab       *binding
	roots     *x509.CertPool // who vouches for its server; nil: the system's
	email     string
}

// binding ties an account to one that the operator has with the authority
// (RFC 8555 section 7.3.4).
type binding struct {
	keyID string
	key   []byte
}

// same reports whether a client of the one serves the other: same server, same
// trust, same account.
func (a *authority) same(b *authority) bool {
	if a.ID != b.ID || a.Name != b.Name || a.Directory != b.Directory || a.email != b.email || (a.eab == nil) != (b.eab == nil) {
		return false
	}
	if a.eab != nil && (a.eab.keyID != b.eab.keyID || !slices.Equal(a.eab.key, b.eab.key)) {
		return false
	}
	return a.roots == b.roots || a.roots != nil && b.roots != nil && a.roots.Equal(b.roots)
}

// profile is the one that an order asks this authority for.
func (a *authority) profile(h Host) string {
	if h.Profile != "" {
		return h.Profile
	}
	return a.Profile
}

// kinds are the challenges that can prove control of a host, in order of
// preference. A wildcard is proved by DNS alone (RFC 8555 section 8.4). The
// owner of a name may have delegated dns-01 to any provider that admits the
// tenant.
func (s *Settings) kinds(h Host) (out []string) {
	for _, kind := range s.challenges {
		able := !isWildcard(h.Name) || kind == acmeclient.ChallengeTypeDNSPersist01
		if kind == acmeclient.ChallengeTypeDNS01 {
			able = s.providers.Admits(h.Tenant)
		}
		if able {
			out = append(out, kind)
		}
	}
	return out
}

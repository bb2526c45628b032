package tlsconfig

import (
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/conf"
)

const (
	// fallbacksMost bounds authorities that are tried one after the other: there
	// are hardly more that take orders from everybody.
	fallbacksMost = 4

	// resolversMost bounds DNS servers: the system's own list ends at three.
	resolversMost = 8

	// ownAddressesMost bounds addresses that lead here: more than any balancer
	// has.
	ownAddressesMost = 64

	// acmeWordMax bounds words that go to a CA: profiles and key identifiers have
	// a few dozen characters.
	acmeWordMax = 256
)

// ACMESpec says how certificates are obtained by ACME (RFC 8555), as written.
// The main file may write every key; a tenant or a host only the profile, see
// [ACMESpec.CheckTenant].
type ACMESpec struct {
	Pos   conf.Pos
	Email conf.At[string] `conf:"email" doc:"address that the CA writes to about the account; needed in the main file" example:"ops@host.example"`
	AuthoritySpec
	Challenges conf.List[string]        `conf:"challenges" enum:"http-01|tls-alpn-01|dns-01|dns-persist-01" default:"of the first three, what can work for the name" doc:"how control of a name is proved: http-01 with an http listener, tls-alpn-01 with an https listener, dns-01 where a provider writes its record, dns-persist-01 by a record that the owner sets once; a wildcard by the last two alone" example:"[http-01, tls-alpn-01]"`
	MustStaple conf.At[bool]            `conf:"must_staple" default:"false" doc:"ask for certificates that are good with a stapled OCSP answer alone (RFC 7633); not with a CA that has no OCSP responder" example:"true"`
	Fallback   conf.List[AuthoritySpec] `conf:"fallback" default:"[]" doc:"authorities that are tried in this order when the first fails" example:"[{ca: zerossl, eab: {key_id: k1, hmac_key: {file: secrets/zerossl}}}]"`
	Resolvers  conf.List[string]        `conf:"resolvers" default:"the system's" doc:"DNS servers that are asked before an order is placed" example:"[\"9.9.9.9:53\"]"`
	Preflight  *PreflightSpec           `conf:"preflight" doc:"what is looked at before an order is spent"`
	Budget     *BudgetSpec              `conf:"budget" doc:"how much is asked of the CA; the built-in numbers mirror Let's Encrypt's published limits"`
}

// AuthoritySpec is one CA as written.
type AuthoritySpec struct {
	CA      conf.At[string] `conf:"ca" default:"letsencrypt" doc:"letsencrypt, letsencrypt-staging, zerossl, google, or the https URL of an ACME directory" example:"letsencrypt-staging"`
	Root    conf.At[string] `conf:"root" default:"the system's roots" doc:"PEM file of the authorities that vouch for the server of a CA that is named by URL" example:"ca/pebble.pem"`
	EAB     *EABSpec        `conf:"eab" doc:"external account binding: what ties the ACME account to one that you have with the CA; zerossl and google need it"`
	Profile conf.At[string] `conf:"profile" default:"the CA's" doc:"certificate profile, as the CA names it" example:"shortlived"`
}

// EABSpec is external account binding as written (RFC 8555 section 7.3.4).
type EABSpec struct {
	Pos     conf.Pos
	KeyID   conf.At[string] `conf:"key_id,required" doc:"key identifier that the CA has given out" example:"kid-1"`
	HMACKey *conf.Secret    `conf:"hmac_key,required" doc:"its key, base64url as the CA has given it out" example:"{file: secrets/zerossl}"`
}

// PreflightSpec is what is looked at before an order is spent, as written.
type PreflightSpec struct {
	Pos       conf.Pos
	Enabled   conf.At[bool]     `conf:"enabled" default:"true" doc:"look at DNS and at the way to us before an order is placed" example:"false"`
	Addresses conf.List[string] `conf:"addresses" default:"this machine's" doc:"addresses that lead here although they are not this machine's: of a load balancer, or before NAT" example:"[192.0.2.1]"`
	LostAfter conf.At[int]      `conf:"lost_after" default:"5" doc:"a host that points elsewhere at this many checks in a row is no longer renewed" example:"3"`
}

// BudgetSpec is how much may be asked of a CA, as written.
type BudgetSpec struct {
	Pos      conf.Pos
	Orders   conf.At[conf.Rate] `conf:"orders" default:"300/3h" doc:"orders of an account" example:"100/3h"`
	Domain   conf.At[conf.Rate] `conf:"domain" default:"50/7d" doc:"certificates of a registered domain" example:"20/7d"`
	Host     conf.At[conf.Rate] `conf:"host" default:"5/7d" doc:"certificates of one name" example:"3/7d"`
	Failures conf.At[conf.Rate] `conf:"failures" default:"5/h" doc:"failed validations of one name" example:"2/h"`
}

// The authorities that have a name.
const (
	LetsEncrypt        = "letsencrypt"
	LetsEncryptStaging = "letsencrypt-staging"
	ZeroSSL            = "zerossl"
	GoogleTrust        = "google"
)

// The kinds of challenge.
const (
	HTTP01    = "http-01"     // RFC 8555 section 8.3
	DNS01     = "dns-01"      // RFC 8555 section 8.4
	TLSALPN01 = "tls-alpn-01" // RFC 8737

	// DNSPersist01 is used only where it is written: its record is a grant that
	// lasts, and not every authority offers it (draft-ietf-acme-dns-persist).
	DNSPersist01 = "dns-persist-01"
)

// DefaultLostAfter is how many checks in a row a host may point elsewhere.
const DefaultLostAfter = 5

// Budget is how much may be asked of one CA. Each rate is a token bucket that
// holds Count and fills in Per.
type Budget struct {
	Orders   conf.Rate // of an account
	Domain   conf.Rate // certificates of a registered domain
	Host     conf.Rate // certificates of one exact name
	Failures conf.Rate // failed validations of one name
}

// Name returns the authority as operators name it: one of the names above, or
// a URL.
func (s *AuthoritySpec) Name() string { return s.CA.Or(LetsEncrypt) }

// Allows reports whether control of a name may be proved by that kind of
// challenge. Where none are written, all but dns-persist-01 are allowed.
func (s *ACMESpec) Allows(challenge string) bool {
	if s == nil || !s.Challenges.Set() {
		return challenge != DNSPersist01
	}
	return slices.Contains(s.Challenges.Values(), challenge)
}

// CompileBudget returns what is written, and Let's Encrypt's published limits for the
// rest.
func (s *ACMESpec) CompileBudget() Budget {
	written := s.Budget
	if written == nil {
		written = new(BudgetSpec)
	}
	const week = conf.Duration(7 * 24 * time.Hour)
	return Budget{
		Orders:   written.Orders.Or(conf.Rate{Count: 300, Per: conf.Duration(3 * time.Hour)}),
		Domain:   written.Domain.Or(conf.Rate{Count: 50, Per: week}),
		Host:     written.Host.Or(conf.Rate{Count: 5, Per: week}),
		Failures: written.Failures.Or(conf.Rate{Count: 5, Per: conf.Duration(time.Hour)}),
	}
}

// authorities lists the authorities that have a name.
func authorities() []string {
	return []string{LetsEncrypt, LetsEncryptStaging, ZeroSSL, GoogleTrust}
}

// CheckConf judges what stands at any level.
func (s *ACMESpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Email.Set() && !isMailAddress(s.Email.V) {
		r.Fault(s.Email.Pos, "", "email is %q; expected an address like %q", s.Email.V, "ops@host.example")
	}
	s.checkChallenges(r)
	s.checkAuthorities(r)
	s.checkResolvers(r)
}

// isMailAddress reports whether text is an address alone, below a domain that
// mail can be sent to.
func isMailAddress(text string) bool {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || a.Name != "" {
		return false
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	return strings.Contains(strings.Trim(domain, "."), ".") && !strings.ContainsAny(domain, "[]")
}

func (s *ACMESpec) checkChallenges(r *conf.Report) {
	if s.Challenges.Empty() {
		r.Fault(s.Challenges.Pos, "leave it out for all that can work", "challenges names none; without one no CA issues anything")
	}
	for i, item := range s.Challenges.Items {
		if slices.Contains(s.Challenges.Values()[:i], item.V) {
			r.Fault(item.Pos, "", "challenge %q is named twice", item.V)
		}
	}
}

// checkAuthorities judges what authorities mean for each other and for the
// rest.
func (s *ACMESpec) checkAuthorities(r *conf.Report) {
	if n := len(s.Fallback.Items); n > fallbacksMost {
		r.Fault(s.Fallback.Pos, "", "fallback names %d authorities; expected at most %d", n, fallbacksMost)
	}
	all := []*AuthoritySpec{&s.AuthoritySpec}
	for i := range s.Fallback.Items {
		item := &s.Fallback.Items[i]
		if !item.V.CA.Set() {
			r.Fault(item.Pos, "", "an authority of fallback has no ca; expected one of %s, or a URL", strings.Join(authorities(), ", "))
			continue
		}
		for _, earlier := range all {
			if earlier.Name() == item.V.CA.V {
				r.Fault(item.V.CA.Pos, "", "ca %q is tried already; expected another one", item.V.CA.V)
				break
			}
		}
		all = append(all, &item.V)
	}
	for _, a := range all {
		if name := a.Name(); s.MustStaple.V && (name == LetsEncrypt || name == LetsEncryptStaging) {
			r.Fault(s.MustStaple.Pos, "remove it", "must_staple with ca %q, which has no OCSP responder; its certificates could never be used", name)
			break
		}
	}
}

func (s *ACMESpec) checkResolvers(r *conf.Report) {
	if s.Resolvers.Empty() {
		r.Fault(s.Resolvers.Pos, "leave it out for the system's", "resolvers names none; expected at least one DNS server")
	}
	if n := len(s.Resolvers.Items); n > resolversMost {
		r.Fault(s.Resolvers.Pos, "", "resolvers names %d; expected at most %d", n, resolversMost)
	}
	for _, item := range s.Resolvers.Items {
		if a, err := netip.ParseAddrPort(item.V); err != nil || a.Port() == 0 {
			r.Fault(item.Pos, "", "resolver %q is no address with a port; write it like %q or %q", item.V, "9.9.9.9:53", "[2620:fe::fe]:53")
		}
	}
}

// CheckConf judges one CA.
func (s *AuthoritySpec) CheckConf(p conf.Pos, r *conf.Report) {
	name := s.Name()
	known := slices.Contains(authorities(), name)
	switch {
	case known && s.Root.Set():
		r.Fault(s.Root.Pos, "remove it", "root stands beside ca %q, whose server the system's roots vouch for", name)
	case s.Root.Set() && s.Root.V == "":
		r.Fault(s.Root.Pos, "", "root is %q; expected a file", s.Root.V)
	}
	switch {
	case (name == ZeroSSL || name == GoogleTrust) && s.EAB == nil:
		r.Fault(s.CA.Pos, "write eab: {key_id: …, hmac_key: {file: FILE}} with what the CA has given out", "ca %q has no eab; it takes orders from accounts alone that are bound to one of its own", name)
	case (name == LetsEncrypt || name == LetsEncryptStaging) && s.EAB != nil:
		r.Fault(s.EAB.Pos, "remove it", "eab stands beside ca %q, which binds no accounts", name)
	}
	if !known && !isDirectory(name) {
		r.Fault(s.CA.Pos, conf.DidYouMean(name, authorities()), "ca %q is unknown; expected %s, or the https URL of an ACME directory", name, strings.Join(authorities(), ", "))
	}
	if s.Profile.Set() && !isWord(s.Profile.V) {
		r.Fault(s.Profile.Pos, "", "profile is %q; expected a word like %q", s.Profile.V, "shortlived")
	}
}

// isDirectory reports whether text can be the URL of an ACME directory, which
// is https alone (RFC 8555 section 6.1).
func isDirectory(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Fragment == "" && u.Opaque == ""
}

// isWord reports whether text is printable ASCII without spaces.
func isWord(text string) bool {
	return text != "" && len(text) <= acmeWordMax &&
		!strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f })
}

// CheckConf demands that the identifier is one.
func (s *EABSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.KeyID.Set() && !isWord(s.KeyID.V) {
		r.Fault(s.KeyID.Pos, "", "key_id is %q; expected the word that the CA has given out", s.KeyID.V)
	}
}

// CheckConf judges addresses and numbers.
func (s *PreflightSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Addresses.Empty() {
		r.Fault(s.Addresses.Pos, "leave it out for this machine's", "addresses names none; expected at least one")
	}
	if n := len(s.Addresses.Items); n > ownAddressesMost {
		r.Fault(s.Addresses.Pos, "", "addresses names %d; expected at most %d", n, ownAddressesMost)
	}
	for _, item := range s.Addresses.Items {
		if a, err := netip.ParseAddr(item.V); err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			r.Fault(item.Pos, "", "%q is not an address that clients reach; write it like %q", item.V, "192.0.2.1")
		}
	}
	if s.LostAfter.Set() && s.LostAfter.V < 1 {
		r.Fault(s.LostAfter.Pos, "", "lost_after is %d; expected at least one check", s.LostAfter.V)
	}
}

// CheckMain judges what the main file writes beyond CheckConf: a CA is asked in
// its name.
func (s *ACMESpec) CheckMain(r *conf.Report) {
	if !s.Email.Set() {
		r.Fault(s.Pos, "write acme: {email: ADDRESS}", "acme has no email; expected an address that the CA can write to")
	}
}

// CheckTenant refuses what the main file alone may write: accounts, trust and
// budgets are shared by all tenants.
func (s *ACMESpec) CheckTenant(r *conf.Report) {
	refuse := func(at conf.Pos, key string) {
		if !at.IsZero() {
			r.Fault(at, "write it below tls of the main file; here only profile may stand", "%s of acme belongs to the operator; it stands in a tenant's text", key)
		}
	}
	refuse(s.Email.Pos, "email")
	refuse(s.CA.Pos, "ca")
	refuse(s.Root.Pos, "root")
	if s.EAB != nil {
		refuse(s.EAB.Pos, "eab")
	}
	refuse(s.Challenges.Pos, "challenges")
	refuse(s.MustStaple.Pos, "must_staple")
	refuse(s.Fallback.Pos, "fallback")
	refuse(s.Resolvers.Pos, "resolvers")
	if s.Preflight != nil {
		refuse(s.Preflight.Pos, "preflight")
	}
	if s.Budget != nil {
		refuse(s.Budget.Pos, "budget")
	}
}

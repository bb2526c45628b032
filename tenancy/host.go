package tenancy

import (
	"net/netip"
	"slices"

	"gatehouse/internal/compress"
	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// CertificateSource is where a host's certificate comes from.
type CertificateSource uint8

// The sources. A host without one is refused with no_certificate.
const (
	NoSource   CertificateSource = iota
	FileSource                   // a pair that a file of the operator's names
	InternalCA                   // issued by the gateway's own CA
	ACME                         // obtained from a CA by ACME; there may be none yet
)

// String returns "none", "file", "internal" or "acme".
func (s CertificateSource) String() string {
	switch s {
	case FileSource:
		return "file"
	case InternalCA:
		return "internal"
	case ACME:
		return "acme"
	}
	return "none"
}

// Host is one name, or one "*.name", of a tenant. It is immutable.
type Host struct {
	name        string
	wildcard    bool
	tenant      *Tenant
	site        *site
	source      CertificateSource
	acmeProfile string
	hsts        string
	pos         conf.Pos
}

// site is what hosts of a tenant have in common that are written alike.
type site struct {
	host      string // whose entry says more than a name; else empty
	levels    []level
	guards    []*Guard       // of tenant and host
	services  []*AuthService // of tenant and host
	routes    []*Route       // the longest first
	reach     int            // how much of a path decides between them: the longest, and the byte after it
	paths     pathRules
	profile   tlsconfig.Profile
	timeouts  Timeouts
	coded     *compress.Rules // of routes that say nothing else
	limits    *Limits
	bodyLevel string     // of the host, where it writes limits.body; else ""
	ceilings  []*Ceiling // of host and tenant
	hsts      string     // for hosts that are not served from the internal CA
	hstsPos   conf.Pos   // where a tenant says so; zero where none does
}

// Name returns the normalised name; of a wildcard "*.name".
func (h *Host) Name() string { return h.name }

// Wildcard reports whether the name is "*.name", which stands for one label.
func (h *Host) Wildcard() bool { return h.wildcard }

// Tenant returns whose host it is.
func (h *Host) Tenant() *Tenant { return h.tenant }

// Pos returns where the host is written.
func (h *Host) Pos() conf.Pos { return h.pos }

// Profile returns the TLS policy of the host.
func (h *Host) Profile() tlsconfig.Profile { return h.site.profile }

// Identity returns what a handshake for the host binds its connection to.
func (h *Host) Identity() Identity { return Identity{h.tenant.id, h.site.profile} }

// CertificateSource returns where the host's certificate comes from.
func (h *Host) CertificateSource() CertificateSource { return h.source }

// ACMEProfile returns the certificate profile that tenant or host want of ACME,
// as the CA names it; "" for what the main file says.
func (h *Host) ACMEProfile() string { return h.acmeProfile }

// HSTS returns the value of Strict-Transport-Security, "" for none (RFC 6797
// section 6.1). A host with a certificate of the internal CA has none: whoever
// cannot verify it must stay able to get past.
func (h *Host) HSTS() string { return h.hsts }

// Timeouts returns what holds where no route is known: before and between
// requests.
func (h *Host) Timeouts() Timeouts { return h.site.timeouts }

// Limits returns what requests are held to before their route is known. It
// holds on to nothing else of the table.
func (h *Host) Limits() *Limits { return h.site.limits }

// Routes returns the host's routes, the longest prefix first.
func (h *Host) Routes() []*Route { return slices.Clone(h.site.routes) }

// Admits reports whether tenant and host admit client at a moment of a table (see
// Table.At). Open connections are judged again by it. It does not allocate.
func (h *Host) Admits(client netip.Addr, m ipallow.Moment) bool {
	return admits(h.tenant.levels, client, m) == nil && admits(h.site.levels, client, m) == nil
}

// AdmitsEverybody reports whether a request that meets r may come from anywhere, as
// far as tenant, host and routes are asked: who sends it is not known by an address
// then. It does not allocate.
func (h *Host) AdmitsEverybody(r *Route) bool {
	return everybody(h.tenant.levels) && everybody(h.site.levels) && everybody(r.levels)
}

// Identity is what a TLS connection is bound to: requests on it may name hosts
// of this tenant and policy alone, and its tickets resume for them alone.
type Identity struct {
	TenantID string
	Profile  tlsconfig.Profile
}

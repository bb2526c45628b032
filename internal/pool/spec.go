package pool

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/conf"
)

// BackendSpec is a backend as written: its URL, or a map.
type BackendSpec struct {
	URL        conf.At[string] `conf:"url,required,short" doc:"where the backend answers: http:// or https://, a host, and a port unless it is the scheme's own; an https backend is always verified" example:"https://10.4.1.11:8443"`
	Shared     conf.At[bool]   `conf:"shared" default:"false" doc:"another tenant may use the same address if it says so too" example:"true"`
	CA         conf.At[string] `conf:"ca" default:"the system's roots" doc:"PEM file of the authorities that may sign an https backend's certificate" example:"ca/acme.pem"`
	ServerName conf.At[string] `conf:"server_name" default:"the host of url" doc:"name that an https backend's certificate must carry, sent as SNI" example:"app.acme.internal"`
	Host       conf.At[string] `conf:"host" enum:"backend" default:"as received" doc:"backend: send the host of url as Host instead of the one the client asked for" example:"backend"`
	Weight     conf.At[int]    `conf:"weight" default:"1" doc:"its share of the requests, 1 to 1000, beside those of the others" example:"3"`
	Backup     conf.At[bool]   `conf:"backup" default:"false" doc:"it gets requests only while no backend without backup can take them" example:"true"`
	State      conf.At[string] `conf:"state" enum:"active|drain|down" default:"active" doc:"drain: it gets no new requests, and those in progress finish; down: the same, and its health is not looked at" example:"drain"`
	Later      conf.Later      `conf:"client_cert"`

	Elsewhere conf.Elsewhere `conf:"maxconns,maxconnections,connections" doc:"write circuit_breaker: {connections: 100} beside backends"`
}

// Backend is one compiled backend. It is immutable.
type Backend struct {
	pos        conf.Pos
	tls        bool
	shared     bool
	rewrites   bool           // Host is rewritten to hostField
	dialHost   string         // lower case, as written otherwise; no brackets
	literal    netip.Addr     // valid when dialHost is an address
	address    string         // host:port, the identity between tenants
	port       uint16         // effective
	hostField  string         // what Host says when rewritten: no port when it is the scheme's own
	serverName string         // what the certificate must carry
	roots      *x509.CertPool // nil: the system's
	key        string
	weight     uint32 // at least 1
	backup     bool
	state      State
}

// Address returns the lower-case host and the effective port: what two tenants
// may not share unless both say so. It is also the backend's label in logs.
func (b *Backend) Address() string { return b.address }

// Key returns a string that is equal for backends that are reached in the same
// way: scheme, address, Host, name and authorities.
func (b *Backend) Key() string { return b.key }

// TLS reports whether the backend is reached by https.
func (b *Backend) TLS() bool { return b.tls }

// Shared reports whether another tenant may use the address too.
func (b *Backend) Shared() bool { return b.shared }

// Pos returns where the backend is written.
func (b *Backend) Pos() conf.Pos { return b.pos }

// Literal returns the address if the URL names one rather than a host name.
func (b *Backend) Literal() (a netip.Addr, ok bool) { return b.literal, b.literal.IsValid() }

// Port returns the effective port.
func (b *Backend) Port() uint16 { return b.port }

// RewrittenHost returns what the Host field says to this backend, and false
// when it stays as the client sent it.
func (b *Backend) RewrittenHost() (host string, ok bool) { return b.hostField, b.rewrites }

const urlHint = `write it like "http://10.4.1.10:8080" or "https://app.internal"`

// CompileBackend checks spec and compiles it. It returns nil after a fault.
// readFile reads the file that spec.CA names, by the path as written.
func CompileBackend(spec conf.At[BackendSpec], readFile func(path string) ([]byte, error), r *conf.Report) *Backend {
	s := &spec.V
	b := &Backend{pos: spec.Pos, shared: s.Shared.V}
	if b.pos.IsZero() {
		b.pos = s.URL.Pos
	}
	before := r.Faults()
	b.readURL(s.URL, r)
	if r.Faults() > before {
		return nil
	}
	if s.Host.V == "backend" {
		b.rewrites = true
	}
	b.readRole(s)
	b.readTLS(s, readFile, r)
	if r.Faults() > before {
		return nil
	}
	return b
}

// readURL fills in where the backend is.
func (b *Backend) readURL(at conf.At[string], r *conf.Report) {
	raw := at.V
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" {
		r.Fault(at.Pos, urlHint, "%q is no URL of a backend; a backend is a scheme, a host and a port", withoutUser(raw))
		return
	}
	switch {
	case u.Scheme == "https":
		b.tls = true
	case u.Scheme != "http":
		r.Fault(at.Pos, urlHint, "%q has the scheme %q; a backend is reached by http or https", raw, u.Scheme)
		return
	}
	if u.User != nil {
		// A password may stand in it, which is shown to nobody.
		r.Fault(at.Pos, urlHint, "the URL of the backend at %q names a user; a backend is a scheme, a host and a port", u.Host)
		return
	}
	if extra := beyondAuthority(u); extra != "" {
		r.Fault(at.Pos, "a request's path and query reach the backend byte for byte as they came",
			"%q has %s; a backend is a scheme, a host and a port", raw, extra)
		return
	}
	if why := b.readAuthority(u); why != "" {
		r.Fault(at.Pos, urlHint, "%q %s", raw, why)
		return
	}
	if b.literal.IsValid() {
		if why, bad := ForbiddenAddr(b.literal); bad {
			r.Fault(at.Pos, "", "%q is %s; no backend is there", raw, why)
		}
	}
}

// withoutUser hides what stands where a user and password may.
func withoutUser(raw string) string {
	if end := strings.LastIndexByte(raw, '@'); end >= 0 {
		return "…" + raw[end:]
	}
	return raw
}

// beyondAuthority names what a backend's URL has and may not have.
func beyondAuthority(u *url.URL) string {
	switch {
	case u.Path != "" && u.Path != "/":
		return "a path"
	case u.RawQuery != "" || u.ForceQuery:
		return "a query"
	case u.Fragment != "":
		return "a fragment"
	}
	return ""
}

// readAuthority fills in host and port, or says what is wrong with them.
func (b *Backend) readAuthority(u *url.URL) (why string) {
	scheme := uint16(80)
	if b.tls {
		scheme = 443
	}
	b.port = scheme
	if strings.HasSuffix(u.Host, ":") {
		return "has no port after the colon"
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "has the port " + strconv.Quote(p) + "; a port is 1 to 65535"
		}
		b.port = uint16(n)
	}
	host := strings.ToLower(u.Hostname())
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return "has a zone; zones belong to link-local addresses, and no backend is there"
		}
		b.literal = addr.Unmap()
		host = b.literal.String()
	} else if !isDialName(host) {
		return "names the host " + strconv.Quote(host) + "; a host is an address or a name of letters, digits, hyphens and dots"
	}
	b.dialHost = host
	port := strconv.Itoa(int(b.port))
	b.address = net.JoinHostPort(strings.TrimSuffix(host, "."), port)
	b.hostField = b.address
	if b.port == scheme {
		b.hostField = strings.TrimSuffix(b.address, ":"+port)
	}
	return ""
}

// isDialName reports whether name may be handed to a resolver. A last label
// that is a number is refused: some resolvers read 2130706433 or 0x7f.1 as an
// address, behind the back of the address checks.
func isDialName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 { // RFC 1035 2.3.4
		return false
	}
	last := name
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x")
}

// readTLS fills in how an https backend is verified, and the key.
func (b *Backend) readTLS(s *BackendSpec, readFile func(string) ([]byte, error), r *conf.Report) {
	if !b.tls {
		for _, k := range []struct {
			name string
			at   conf.At[string]
		}{{"ca", s.CA}, {"server_name", s.ServerName}} {
			if k.at.Set() {
				r.Fault(k.at.Pos, "write the url with https://, or remove "+k.name,
					"%s is %q, but the backend is reached by http; only https backends are verified", k.name, k.at.V)
			}
		}
		b.key = b.keyOf("")
		return
	}
	b.serverName = strings.TrimSuffix(b.dialHost, ".")
	if s.ServerName.Set() {
		b.serverName = strings.TrimSuffix(strings.ToLower(s.ServerName.V), ".")
		if _, err := netip.ParseAddr(b.serverName); err != nil && !isDialName(b.serverName) {
			r.Fault(s.ServerName.Pos, `write it like "app.internal"`, "server_name %q is neither a host name nor an address", s.ServerName.V)
		}
	}
	digest := ""
	if s.CA.Set() {
		digest = b.readCA(s.CA, readFile, r)
	}
	b.key = b.keyOf(digest)
}

// issuerRSABitsMax bounds the keys of authorities, with which each handshake
// with the backend verifies a signature: with a million bits that takes a
// minute of a processor that all tenants share (CVE-2023-29409).
const issuerRSABitsMax = 8192

// readCA reads the authorities and returns their digest.
func (b *Backend) readCA(at conf.At[string], readFile func(string) ([]byte, error), r *conf.Report) (digest string) {
	text, err := readFile(at.V)
	if err != nil {
		r.Fault(at.Pos, "", "ca %q cannot be read: %v", at.V, err)
		return ""
	}
	b.roots = x509.NewCertPool()
	hash, count, rest := sha256.New(), 0, text
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.Fault(at.Pos, "", "ca %q holds a certificate that cannot be parsed: %v", at.V, err)
			return ""
		}
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > issuerRSABitsMax {
			r.Fault(at.Pos, "", "ca %q holds a certificate that has an RSA key of %d bits; expected at most %d", at.V, key.N.BitLen(), issuerRSABitsMax)
			return ""
		}
		b.roots.AddCert(cert)
		hash.Write(cert.Raw)
		count++
	}
	if count == 0 {
		r.Fault(at.Pos, "a PEM certificate begins with -----BEGIN CERTIFICATE-----",
			"ca %q holds no certificate; expected a PEM file of authorities", at.V)
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func (b *Backend) keyOf(caDigest string) string {
	scheme, host := "http", "as received"
	if b.tls {
		scheme = "https"
	}
	if b.rewrites {
		host = "backend"
	}
	// A trailing dot changes how a name is resolved, so the key has the host as
	// it is dialled.
	return strings.Join([]string{scheme, net.JoinHostPort(b.dialHost, strconv.Itoa(int(b.port))), host, b.serverName, caDigest}, " ")
}

package acme

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/dns01"
	"gatehouse/internal/dnsquery"
	"gatehouse/tlsconfig"
)

// hmacKeyBytesMax bounds the key of an external account binding; authorities
// give out 32 to 64 bytes.
const hmacKeyBytesMax = 1 << 10

// knownDirectories are the authorities that have a name.
func knownDirectories() map[string]string {
	return map[string]string{
		tlsconfig.LetsEncrypt:        "https://acme-v02.api.letsencrypt.org/directory",
		tlsconfig.LetsEncryptStaging: "https://acme-staging-v02.api.letsencrypt.org/directory",
		tlsconfig.ZeroSSL:            "https://acme.zerossl.com/v2/DV90",
		tlsconfig.GoogleTrust:        "https://dv.acme-v02.api.pki.goog/directory",
	}
}

// Surroundings is what the text of the main file leads to.
type Surroundings struct {
	Secret    func(*conf.Secret) ([]byte, error) // reads a secret; nil bytes without an error: it is not to be looked at
	File      func(path string) ([]byte, error)  // reads a file that the main file names
	Providers *dns01.Providers                   // who writes DNS records; nil: nobody
	HTTP      bool                               // there is a listener for http-01
	HTTPS     bool                               // there is one for tls-alpn-01
}

// CompileSettings compiles what the main file says of ACME; nil where it says
// nothing, and where r has a fault about it.
func CompileSettings(spec *tlsconfig.ACMESpec, in Surroundings, r *conf.Report) *Settings {
	if spec == nil {
		return nil
	}
	faults := r.Faults()
	s := &Settings{
		email: spec.Email.V, mustStaple: spec.MustStaple.V,
		dns: dnsquery.New(spec.Resolvers.Values(), dnsquery.Options{}), resolvers: spec.Resolvers.Values(), providers: in.Providers,
		budget: spec.CompileBudget(), preflight: compilePreflight(spec.Preflight),
		challenges: permitted(spec, in),
	}
	if len(s.challenges) == 0 {
		r.Fault(spec.Challenges.Pos, "add the listener, or a provider below dns_providers", "none of challenges %q can be answered here; http-01 needs an http listener, tls-alpn-01 an https listener, dns-01 a provider", strings.Join(spec.Challenges.Values(), ", "))
	}
	s.authorities = append(s.authorities, compileAuthority(&spec.AuthoritySpec, s.email, in, r))
	for i := range spec.Fallback.Items {
		s.authorities = append(s.authorities, compileAuthority(&spec.Fallback.Items[i].V, s.email, in, r))
	}
	if r.Faults() > faults {
		return nil
	}
	return s
}

// permitted are the kinds of challenge that are written, or all, as far as
// anybody here can answer them.
func permitted(spec *tlsconfig.ACMESpec, in Surroundings) (out []string) {
	able := map[string]bool{
		tlsconfig.HTTP01: in.HTTP, tlsconfig.TLSALPN01: in.HTTPS,
		tlsconfig.DNS01: len(in.Providers.List()) > 0, tlsconfig.DNSPersist01: true,
	}
	kinds := spec.Challenges.Values()
	if len(kinds) == 0 {
		kinds = []string{tlsconfig.HTTP01, tlsconfig.TLSALPN01, tlsconfig.DNS01}
	}
	for _, kind := range kinds {
		if able[kind] {
			out = append(out, kind)
		}
	}
	return out
}

func compilePreflight(spec *tlsconfig.PreflightSpec) preflightSettings {
	p := preflightSettings{enabled: true, lostAfter: tlsconfig.DefaultLostAfter}
	if spec == nil {
		return p
	}
	p.enabled, p.lostAfter = spec.Enabled.Or(true), spec.LostAfter.Or(tlsconfig.DefaultLostAfter)
	for _, text := range spec.Addresses.Values() {
		if a, err := netip.ParseAddr(text); err == nil { // CheckConf has told of others
			p.addresses = append(p.addresses, a.Unmap())
		}
	}
	return p
}

// compileAuthority compiles one CA.
func compileAuthority(spec *tlsconfig.AuthoritySpec, email string, in Surroundings, r *conf.Report) *authority {
	a := &authority{Name: spec.Name(), Profile: spec.Profile.V, email: email}
	a.Directory = a.Name
	if url, ok := knownDirectories()[a.Name]; ok {
		a.Directory = url
	}
	if spec.Root.Set() {
		a.roots = compileRoots(spec.Root, in, r)
	}
	if spec.EAB != nil {
		a.eab = compileBinding(spec.EAB, in, r)
	}
	a.ID = accountID(a)
	return a
}

// compileRoots reads who vouches for an authority's server.
func compileRoots(path conf.At[string], in Surroundings, r *conf.Report) *x509.CertPool {
	text, err := in.File(path.V)
	if err != nil {
		r.Fault(path.Pos, "", "root %q cannot be read: %v", path.V, err)
		return nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		r.Fault(path.Pos, "", "root %q holds no certificate; expected PEM", path.V)
		return nil
	}
	return pool
}

// compileBinding reads the key of an external account, base64url as authorities
// give it out (RFC 8555 section 7.3.4), with or without padding.
func compileBinding(spec *tlsconfig.EABSpec, in Surroundings, r *conf.Report) *binding {
	text, err := in.Secret(spec.HMACKey)
	if err != nil {
		r.Fault(spec.Pos, "", "hmac_key cannot be read: %v", err)
		return nil
	}
	if text == nil {
		return &binding{keyID: spec.KeyID.V}
	}
	word := strings.TrimRight(strings.TrimSpace(string(text)), "=")
	word = strings.NewReplacer("+", "-", "/", "_").Replace(word)
	key, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || len(key) == 0 || len(key) > hmacKeyBytesMax {
		r.Fault(spec.Pos, "", "hmac_key is not base64url; expected the key as the CA has given it out")
		return nil
	}
	return &binding{keyID: spec.KeyID.V, key: key}
}

// accountID names the account with an authority in the store: readable, and
// another one for another binding.
func accountID(a *authority) string {
	id := a.Directory
	if a.eab != nil {
		id += "\n" + a.eab.keyID
	}
	sum := sha256.Sum256([]byte(id))
	host := strings.TrimPrefix(a.Directory, "https://")
	host, _, _ = strings.Cut(host, "/")
	host = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(host))
	return host[:min(len(host), accountNameBytesMax)] + "-" + hex.EncodeToString(sum[:6])
}

// accountNameBytesMax bounds the readable part: a segment of a key of the store
// holds a host name and this.
const accountNameBytesMax = 200

package tlsconfig

import (
	"time"

	"gatehouse/internal/conf"
)

// Spec is the TLS demands of a level as written: the whole gateway, a tenant or
// a host.
type Spec struct {
	Profile      conf.At[string]                 `conf:"profile" enum:"intermediate|modern" default:"intermediate" doc:"intermediate: TLS 1.2 and 1.3; modern: TLS 1.3 alone" example:"modern"`
	Certificates conf.OneOrMany[CertificateSpec] `conf:"certificates" doc:"where certificates come from" example:"{cert: tls/acme.pem, key: {file: secrets/acme/key.pem}}"`
	HSTS         *HSTSSpec                       `conf:"hsts" doc:"Strict-Transport-Security of every answer over TLS (RFC 6797)"`
	Later        conf.Later                      `conf:"client_certificates"`
}

// CertificateSpec is one source of certificates as written: a pair of files, the
// internal CA, or ACME.
type CertificateSpec struct {
	conf.Whole
	Cert     conf.At[string] `conf:"cert" doc:"PEM file with the certificate and after it the chain that signed it" example:"tls/acme.pem"`
	Key      *conf.Secret    `conf:"key" doc:"its private key, PEM, without a passphrase" example:"{file: secrets/acme/key.pem}"`
	Internal conf.At[bool]   `conf:"internal" doc:"issue certificates from the gateway's own CA" example:"true"`
	ACME     *ACMESpec       `conf:"acme" doc:"obtain certificates from a public CA by ACME; on a tenant or host, which may only choose it and its profile, the main file must say with which account"`
}

// CheckConf demands exactly one source.
func (s *CertificateSpec) CheckConf(p conf.Pos, r *conf.Report) {
	pair := s.Cert.Set() || s.Key != nil
	switch {
	case s.ACME != nil && (pair || s.Internal.Set()):
		r.Fault(s.ACME.Pos, "make it an item of its own", "acme stands beside another source; expected one of them")
	case pair && s.Internal.Set():
		r.Fault(s.Internal.Pos, "make it an item of its own", "internal stands beside a pair of files; expected one of them")
	case pair && (!s.Cert.Set() || s.Key == nil):
		r.Fault(p, "", "half a pair; expected cert and key")
	case pair && s.Cert.V == "":
		r.Fault(s.Cert.Pos, "", "cert is %q; expected a file", s.Cert.V)
	case s.ACME == nil && !pair && !s.Internal.Set():
		r.Fault(p, "write {cert: FILE, key: {file: FILE}}, {acme: {email: ADDRESS}} or {internal: true}", "a certificate without a source; expected a pair of files, acme or the internal CA")
	case s.ACME == nil && !pair && !s.Internal.V:
		r.Fault(s.Internal.Pos, "remove it", "internal is false; expected true, acme, or a pair of files")
	}
}

// HSTSSpec is Strict-Transport-Security as written.
type HSTSSpec struct {
	Pos               conf.Pos
	MaxAge            conf.At[conf.Duration] `conf:"max_age" default:"730d" doc:"how long a browser keeps to https; 0s makes it forget" example:"365d"`
	IncludeSubdomains conf.At[bool]          `conf:"include_subdomains" default:"false" doc:"also every name below the host, those that others serve included" example:"true"`
	Preload           conf.At[bool]          `conf:"preload" default:"false" doc:"agree to be built into browsers; needs include_subdomains and a year" example:"true"`
}

// ProfileOr returns the profile that is written, or else the inherited one. A
// nil Spec inherits.
func (s *Spec) ProfileOr(inherited Profile) Profile {
	if s == nil || !s.Profile.Set() {
		return inherited
	}
	if s.Profile.V == Modern.String() {
		return Modern
	}
	return Intermediate
}

// CompileHSTS compiles what is written, after all levels are merged; nil gives
// the built-in two years.
func CompileHSTS(spec *HSTSSpec, r *conf.Report) HSTS {
	if spec == nil {
		return DefaultHSTS()
	}
	h := HSTS{set: true, MaxAge: defaultMaxAge, IncludeSubdomains: spec.IncludeSubdomains.V, Preload: spec.Preload.V}
	if spec.MaxAge.Set() {
		h.MaxAge = time.Duration(spec.MaxAge.V)
	}
	checkHSTS(spec, h, r)
	return h
}

func checkHSTS(spec *HSTSSpec, h HSTS, r *conf.Report) {
	const (
		preloadLeast = 365 * 24 * time.Hour // hstspreload.org, submission requirements
		ratedLeast   = 180 * 24 * time.Hour // SSL Labs 2009r: shorter costs the plus of A+
	)
	if h.Preload {
		if !h.IncludeSubdomains {
			r.Fault(spec.Preload.Pos, "add include_subdomains: true, or remove preload", "preload without include_subdomains; browsers' lists take whole domains")
		}
		if h.MaxAge < preloadLeast {
			r.Fault(spec.Preload.Pos, "raise max_age, or remove preload", "preload with a max_age of %q; expected at least %q", conf.Duration(h.MaxAge), conf.Duration(preloadLeast))
		}
		return
	}
	if spec.MaxAge.Set() && 0 < h.MaxAge && h.MaxAge < ratedLeast {
		r.Warn(spec.MaxAge.Pos, "raise it once the hosts have proved themselves on https", "max_age %q is shorter than the %q that SSL Labs wants for A+", spec.MaxAge.V, conf.Duration(ratedLeast))
	}
}

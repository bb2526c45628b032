package tenancy

import (
	"slices"

	"gatehouse/internal/conf"
	"gatehouse/tlsconfig"
)

// asked is what one level's tls says about certificates: its own pairs come
// first, then whom it asks to issue.
type asked struct {
	own    []*tlsconfig.Certificate
	names  []string          // of its pairs whose key cannot be read, which check allows
	issuer CertificateSource // InternalCA or ACME; NoSource where it asks nobody
	// profile is the certificate profile that it wants of ACME; "" for that of a
	// wider level.
	profile string
}

// covers reports whether a pair of the level is good for a host.
func (a *asked) covers(host string) bool {
	return slices.ContainsFunc(a.own, func(c *tlsconfig.Certificate) bool { return c.Covers(host) }) ||
		namesCover(a.names, host)
}

// ask reads an item that names whoever issues. The first of a list is asked.
func (b *builder) ask(a *asked, item *tlsconfig.CertificateSpec) {
	issuer, at := InternalCA, item.Internal.Pos
	if item.ACME != nil {
		issuer, at = ACME, item.ACME.Pos
		b.checkACME(item.ACME)
	}
	if a.issuer != NoSource {
		b.report.Warn(at, "remove one of the two", "%s is never asked; %s stands before it", issuer.word(), a.issuer.word())
		return
	}
	a.issuer = issuer
	if item.ACME != nil {
		a.profile = item.ACME.Profile.V
	}
}

// word is how operators write whoever issues.
func (s CertificateSource) word() string {
	if s == InternalCA {
		return "internal"
	}
	return "acme"
}

// checkACME holds a tenant's text to what the main file leaves to it.
func (b *builder) checkACME(spec *tlsconfig.ACMESpec) {
	spec.CheckTenant(b.report)
	if b.w.in.TLS.ACME == nil {
		b.report.Fault(spec.Pos, "", "acme is asked for, but tls of the main file names no account; expected certificates: {acme: {email: ADDRESS}} there")
	}
}

// source says where the certificate of a host comes from, and with which
// profile. own is what the host itself says.
func (b *builder) source(host string, own *asked) (source CertificateSource, profile string) {
	source = b.sourceOf(host, own)
	if source == ACME {
		profile = own.profile
		if profile == "" {
			profile = b.asked.profile
		}
	}
	return source, profile
}

func (b *builder) sourceOf(host string, own *asked) CertificateSource {
	main := &b.w.in.TLS
	switch {
	case own.covers(host):
		return FileSource
	case own.issuer != NoSource:
		return own.issuer
	case b.pairs.covers(host):
		return FileSource
	case b.asked.issuer != NoSource:
		return b.asked.issuer
	case slices.ContainsFunc(main.Certificates, func(c *tlsconfig.Certificate) bool { return c.Covers(host) }),
		namesCover(main.Names, host):
		return FileSource
	}
	return main.Issuer
}

// noteUnprovable tells about a host that ACME is asked for and that no
// challenge can prove control of.
func (b *builder) noteUnprovable(h *Host) {
	in := b.w.in
	switch {
	case in.TLS.ACME == nil: // that is a fault already
	case in.TLS.ACME.Allows(tlsconfig.DNSPersist01): // its owner can always set that record
	case in.DNSProvider != nil && in.TLS.ACME.Allows(tlsconfig.DNS01) && in.DNSProvider(b.v.id, h.name):
	case h.wildcard:
		b.report.Note(h.pos, "name a provider for its zone below dns_providers, or a pair below tls",
			"no DNS-01 provider covers %q, and nothing else proves control of a wildcard; no certificate is ordered", h.name)
	case !in.TLS.ACME.Allows(tlsconfig.HTTP01) && !in.TLS.ACME.Allows(tlsconfig.TLSALPN01):
		b.report.Note(h.pos, "name a provider for its zone below dns_providers, or permit another challenge",
			"no DNS-01 provider covers %q, and challenges permits nothing else; no certificate is ordered", h.name)
	}
}

// checkChallenges refuses challenges that no listener can answer.
func (w *world) checkChallenges(r *conf.Report) {
	acme := w.in.TLS.ACME
	if acme == nil || !acme.Challenges.Set() || acme.Allows(tlsconfig.DNS01) || acme.Allows(tlsconfig.DNSPersist01) || acme.Allows(tlsconfig.TLSALPN01) {
		return
	}
	if !slices.ContainsFunc(w.in.Listeners, func(l *Listener) bool { return l.Plain }) {
		r.Fault(acme.Challenges.Pos, "add an address to http of listen, or permit tls-alpn-01",
			"challenges permits http-01 alone, and there is no http listener to answer it on")
	}
}

package gateway

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// mainPairs is what the main file's tls says about certificates, for all
// tenants.
type mainPairs struct {
	issuer       tenancy.CertificateSource // whom it asks first
	acme         *tlsconfig.ACMESpec       // as it says; nil where it says nothing
	certificates []*tlsconfig.Certificate
	names        []string // of pairs whose key could not be read, which check allows
}

func (p *mainPairs) defaults(spec *tlsconfig.Spec) tenancy.TLSDefaults {
	return tenancy.TLSDefaults{
		Profile:      spec.ProfileOr(tlsconfig.Intermediate),
		HSTS:         spec.HSTS,
		Issuer:       p.issuer,
		ACME:         p.acme,
		Certificates: p.certificates,
		Names:        p.names,
	}
}

// equal reports whether both present the same certificates.
func (p *mainPairs) equal(o *mainPairs) bool {
	return slices.EqualFunc(p.certificates, o.certificates, sameChain)
}

func sameChain(a, b *tlsconfig.Certificate) bool { return a.Digest() == b.Digest() }

// readPairs reads the certificates that the main file names.
func (l *loader) readPairs(spec *tlsconfig.Spec, previous *loaded, r *conf.Report) mainPairs {
	p := mainPairs{}
	if !spec.Certificates.Set() {
		p.issuer = tenancy.InternalCA
	}
	for i := range spec.Certificates.Items {
		item := &spec.Certificates.Items[i].V
		faults := r.Faults()
		switch {
		case item.ACME != nil:
			p.addACME(item.ACME, r)
		case item.Internal.V:
			p.ask(tenancy.InternalCA)
		case item.Cert.Set() && item.Key != nil:
			l.addPair(&p, item, previous, r)
		}
		if r.Faults() > faults || !item.Internal.V && item.Key == nil && item.ACME == nil {
			// The table is not applied; nobody is to be told that no certificate
			// covers a host, or that there is no ACME, which is only what follows.
			p.issuer = tenancy.InternalCA
			p.acme = cmp.Or(p.acme, new(tlsconfig.ACMESpec))
		}
	}
	return p
}

// ask notes whom hosts ask that no pair covers: the first that is written.
func (p *mainPairs) ask(issuer tenancy.CertificateSource) {
	p.issuer = cmp.Or(p.issuer, issuer)
}

// addACME takes over how certificates are obtained.
func (p *mainPairs) addACME(spec *tlsconfig.ACMESpec, r *conf.Report) {
	if p.acme != nil {
		r.Fault(spec.Pos, "keep one of the two", "acme stands in certificates already, at %s", p.acme.Pos)
		return
	}
	spec.CheckMain(r)
	p.acme = spec
	p.ask(tenancy.ACME)
}

// addPair reads one pair. One that is bad now and was good before stays as it
// was, with a warning: a renewal that went wrong must not take hosts down. For
// the same reason an expired pair is presented where there is no better one.
func (l *loader) addPair(p *mainPairs, spec *tlsconfig.CertificateSpec, previous *loaded, r *conf.Report) {
	at := spec.Cert.Pos
	now := time.Now()
	pair, err := l.readPair(spec, now)
	if err == nil {
		if issuer, lone := pair.LoneLeaf(); lone {
			r.Note(at, "append the intermediate certificate, unless clients trust the issuer itself",
				"certificate %q stands alone in its file; many clients refuse it without the certificate of its issuer %q", spec.Cert.V, issuer)
		}
		p.certificates = append(p.certificates, pair)
		return
	}
	if names := l.namesWithoutKey(spec, err); names != nil {
		p.names = append(p.names, names...)
		r.Note(at, "", "the key of %q is not readable here; that it fits was not checked", spec.Cert.V)
		return
	}
	if former := previous.mainPair(spec.Cert.V); former != nil {
		p.certificates = append(p.certificates, former)
		r.Warn(at, "the former pair is presented until this one is mended", "%v", err)
		return
	}
	if expired, undated := l.readPair(spec, time.Time{}); undated == nil && l.purpose != toCheck {
		p.certificates = append(p.certificates, expired)
		r.Warn(at, "it is presented nevertheless, and clients refuse it; put a renewed one in its place", "%v", err)
		return
	}
	r.Fault(at, "", "%v", err)
}

// readPair reads a pair that is to be good at now; zero takes any time.
func (l *loader) readPair(spec *tlsconfig.CertificateSpec, now time.Time) (*tlsconfig.Certificate, error) {
	cert, err := readBounded(within(l.base(), spec.Cert.V))
	if err != nil {
		return nil, &unreadableError{"certificate", err}
	}
	key, err := readSecret(spec.Key, l.base())
	if err != nil {
		return nil, &unreadableError{"key", err}
	}
	return tlsconfig.ParsePair(spec.Cert.V, cert, key, now)
}

// namesWithoutKey returns the names of a pair whose key may stay unread, and
// nil if err says anything else.
func (l *loader) namesWithoutKey(spec *tlsconfig.CertificateSpec, err error) []string {
	var unreadable *unreadableError
	if l.purpose == toRun || !errors.As(err, &unreadable) || unreadable.what != "key" {
		return nil
	}
	text, err := readBounded(within(l.base(), spec.Cert.V))
	if err != nil {
		return nil
	}
	return tlsconfig.NamesIn(text)
}

// mainPair returns the pair that was read from source, or nil.
func (l *loaded) mainPair(source string) *tlsconfig.Certificate {
	if l == nil {
		return nil
	}
	for _, c := range l.pairs.certificates {
		if c.Source() == source {
			return c
		}
	}
	return nil
}

// unreadableError is a file or secret that could not be read.
type unreadableError struct {
	what string // "certificate" or "key"
	err  error
}

func (e *unreadableError) Error() string {
	var pathErr *fs.PathError
	if errors.As(e.err, &pathErr) {
		return e.what + " " + pathErr.Path + " cannot be read: " + pathErr.Err.Error()
	}
	return e.what + " cannot be read: " + e.err.Error()
}

func (e *unreadableError) Unwrap() error { return e.err }

package tenancy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/tlsconfig"
)

// pairs are the certificates that a tenant brings.
type pairs struct {
	loaded  []*tlsconfig.Certificate
	byPlace map[string]*tlsconfig.Certificate // by what the declaration names
	names   []string                          // of pairs whose key cannot be read, which check allows
}

// covers reports whether a pair of the tenant is good for a host.
func (p *pairs) covers(host string) bool {
	return slices.ContainsFunc(p.loaded, func(c *tlsconfig.Certificate) bool { return c.Covers(host) }) ||
		namesCover(p.names, host)
}

// namesCover reports whether one of names is host or covers it.
func namesCover(names []string, host string) bool {
	_, parent, ok := strings.Cut(host, ".")
	return slices.Contains(names, host) || ok && slices.Contains(names, "*."+parent)
}

// loadPairs loads the pairs that tls of the tenant or of one of its hosts
// names, and reads whom it asks to issue.
func (b *builder) loadPairs(spec *tlsconfig.Spec) *asked {
	a := new(asked)
	if spec == nil {
		return a
	}
	for i := range spec.Certificates.Items {
		item := &spec.Certificates.Items[i].V
		switch {
		case item.ACME != nil, item.Internal.V:
			b.ask(a, item)
		case item.Cert.V != "" && item.Key != nil:
			unread := len(b.pairs.names)
			if c := b.loadPair(item); c != nil {
				a.own = append(a.own, c)
			}
			a.names = append(a.names, b.pairs.names[unread:]...)
		}
	}
	return a
}

// loadPair loads one pair. If it is bad and the tenant serves a good one of the
// same declaration, that one stays. Nil means that there is none.
func (b *builder) loadPair(spec *tlsconfig.CertificateSpec) *tlsconfig.Certificate {
	place := strings.Join([]string{path.Clean(spec.Cert.V), path.Clean(spec.Key.File.V), spec.Key.Env.V, spec.Key.Credential.V}, "\x00")
	if c := b.pairs.byPlace[place]; c != nil {
		b.report.Warn(spec.Cert.Pos, "remove one of the two", "certificate %q is named twice", spec.Cert.V)
		return c
	}
	c, trouble := b.readPair(spec)
	if trouble != nil {
		former := b.formerPair(place)
		if former == nil || trouble.rule {
			b.report.Fault(trouble.pos, "", "%s", trouble.text)
			return nil
		}
		b.report.Warn(trouble.pos, "the former pair stays in use", "%s", trouble.text)
		c = former
	}
	if c == nil {
		return nil
	}
	b.pairs.byPlace[place] = c
	b.pairs.loaded = append(b.pairs.loaded, c)
	b.checkCovered(c.Names(), spec.Cert)
	return c
}

// formerPair returns the pair that the tenant serves for the same declaration.
func (b *builder) formerPair(place string) *tlsconfig.Certificate {
	if b.former == nil {
		return nil
	}
	return b.former.pairs.byPlace[place]
}

// pairTrouble is why a pair cannot be used.
type pairTrouble struct {
	pos  conf.Pos
	text string
	rule bool // the text itself is at fault, not what the files hold
}

// readPair reads and checks a pair. Both results are nil where the key cannot
// be read and need not be.
func (b *builder) readPair(spec *tlsconfig.CertificateSpec) (*tlsconfig.Certificate, *pairTrouble) {
	chain, err := b.readFile(spec.Cert.V)
	if err != nil {
		return nil, troubleOf(spec.Cert.Pos, "cert", spec.Cert.V, err)
	}
	key, err := b.readKey(spec.Key)
	if err != nil {
		trouble := troubleOf(keyPos(spec), "key of", spec.Cert.V, err)
		if b.w.in.Keys == NoteIfUnreadable && !trouble.rule {
			b.report.Note(trouble.pos, "", "%s; the pair is not checked", trouble.text)
			b.pairs.names = append(b.pairs.names, certificateNames(chain)...)
			return nil, nil
		}
		return nil, trouble
	}
	now := b.w.in.Now
	if b.leniency >= lenient {
		now = time.Time{} // what ran yesterday is served today; that it expired is told elsewhere
	}
	c, err := tlsconfig.ParsePair(spec.Cert.V, chain, key, now)
	if err != nil {
		return nil, &pairTrouble{pos: spec.Cert.Pos, text: err.Error()}
	}
	return c, nil
}

func troubleOf(at conf.Pos, what, name string, err error) *pairTrouble {
	rule := new(pathError)
	return &pairTrouble{at, what + " " + quote(name) + " cannot be read: " + err.Error(), errors.As(err, &rule)}
}

// keyPos returns where a pair's key is written.
func keyPos(spec *tlsconfig.CertificateSpec) conf.Pos {
	for _, at := range []conf.At[string]{spec.Key.File, spec.Key.Env, spec.Key.Credential} {
		if at.Set() {
			return at.Pos
		}
	}
	return spec.Cert.Pos
}

// checkCovered warns about a pair that no host of the tenant can use.
func (b *builder) checkCovered(names []string, cert conf.At[string]) {
	for _, h := range b.v.hosts {
		if namesCover(names, h.name) {
			return
		}
	}
	b.report.Warn(cert.Pos, "", "certificate %q is good for %s, none of them a host of this tenant", cert.V, strings.Join(names, ", "))
}

// certificateNames returns the names of a chain's leaf, as far as it can be
// parsed.
func certificateNames(chain []byte) []string {
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		names := make([]string, len(leaf.DNSNames))
		for i, name := range leaf.DNSNames {
			names[i] = strings.ToLower(strings.TrimSuffix(name, "."))
		}
		return names
	}
	return nil
}

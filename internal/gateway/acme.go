package gateway

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"gatehouse/internal/acme"
	"gatehouse/internal/conf"
	"gatehouse/internal/dns01"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// decodedCertificates is how many certificates by ACME are ready for handshakes
// at a time: with 5 KiB each some 80 MiB where a hundred thousand hosts are
// asked for, and all of them where there are fewer.
const decodedCertificates = 16384

// issuance is how certificates are obtained, as a main file says it.
type issuance struct {
	settings  *acme.Settings    // nil: not at all
	providers *dns01.Providers  // who writes DNS records
	digest    [sha256.Size]byte // of all that settings were compiled from
}

// compileIssuance compiles what a main file says of ACME and of DNS providers.
// It reads the secrets and roots that they name, and nothing else.
func (l *loader) compileIssuance(next *loaded, listeners []*tenancy.Listener, r *conf.Report) issuance {
	sum := sha256.New()
	sum.Write(next.text)
	secret, file := l.issuanceSecret(sum, r), l.issuanceFile(sum)
	i := issuance{providers: dns01.Compile(next.config.DNSProviders, secret, file, r)}
	if spec := next.pairs.acme; spec != nil && !spec.Pos.IsZero() {
		in := acme.Surroundings{Secret: secret, File: file, Providers: i.providers}
		for _, listener := range listeners {
			in.HTTP = in.HTTP || listener.Plain
			in.HTTPS = in.HTTPS || !listener.Plain
		}
		i.settings = acme.CompileSettings(spec, in, r)
	}
	sum.Sum(i.digest[:0])
	return i
}

// issuanceSecret returns what reads a secret. Whoever checks or explains need
// not be able to: that is a note, and nil.
func (l *loader) issuanceSecret(sum hash.Hash, r *conf.Report) func(*conf.Secret) ([]byte, error) {
	return func(s *conf.Secret) ([]byte, error) {
		text, err := readSecret(s, l.base())
		if err != nil && l.purpose != toRun {
			if l.purpose == toCheck {
				r.Note(secretPos(s), "", "this secret is not readable here; what it holds was not checked")
			}
			return nil, nil
		}
		sum.Write(text)
		return text, causeOf(err)
	}
}

func (l *loader) issuanceFile(sum hash.Hash) func(path string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		text, err := readBounded(within(l.base(), path))
		sum.Write(text)
		return text, causeOf(err)
	}
}

// provable reports whether DNS-01 can prove a tenant's control of a name: by a
// provider of its zone, or by one that the owner may delegate the challenge to.
func (i *issuance) provable(tenant, name string) bool {
	if _, ok := i.providers.For(tenant, name); ok {
		return true
	}
	_, ok := i.providers.Delegation(tenant, name)
	return ok
}

// acmeHosts lists the hosts of a table that ACME is asked for.
func acmeHosts(t *tenancy.Table) []acme.Host {
	var hosts []acme.Host
	for h := range t.Hosts() {
		if h.CertificateSource() == tenancy.ACME {
			hosts = append(hosts, acme.Host{Name: h.Name(), Tenant: h.Tenant().ID(), Profile: h.ACMEProfile()})
		}
	}
	return hosts
}

// newACME makes the manager of certificates by ACME.
func (g *gateway) newACME() *acme.Manager {
	return acme.New(acme.Options{
		Store: g.state.blobs, Log: g.log, Metrics: g.metrics.ACME(), Now: time.Now,
		Decoded: tlsconfig.NewDecoded(decodedCertificates), Publish: g.presenter.setACME,
	})
}

// loadACME takes over what was held before. An unreadable state ends the start:
// to obtain all of it again would cost orders that authorities do not give
// twice.
func (g *gateway) loadACME(ctx context.Context) error {
	if err := g.acme.Load(ctx); err != nil {
		return fmt.Errorf("state %s: certificates by acme: %w", g.state.files.Dir(), err)
	}
	return nil
}

// configureACME puts what a tree says of ACME into use, if it says anything new:
// a secret may have changed where no text did.
func (g *gateway) configureACME(l *loaded) {
	if l.issuance.digest != g.issued {
		g.issued = l.issuance.digest
		g.acme.Configure(l.issuance.settings)
	}
}

package tlsconfig

import (
	"crypto/rand"
	"crypto/tls"
	"time"
)

// PolicyOptions is what handshakes need to know from outside.
type PolicyOptions struct {
	// Tenant returns the id of the tenant that is served under a name as the
	// client sent it, and false if none is. It is asked for every session that
	// is issued or comes back.
	Tenant func(sni string) (id string, ok bool)
	// Certificate picks the certificate of a handshake. nil without an error
	// sends unrecognized_name; an error sends internal_error.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// NextProtos are the protocols above TLS, by preference; nil stands for h2,
	// http/1.1 and http/1.0, which is all that some old clients offer.
	NextProtos []string
	// Now is the clock; nil stands for time.Now.
	Now func() time.Time
}

// Policies holds the configurations that connections share. They are built once
// and never changed but for their ticket keys; all methods are safe for
// concurrent use.
type Policies struct {
	byProfile [profileCount]*tls.Config
	refusing  *tls.Config
	challenge *tls.Config
}

// NewPolicies builds the configurations, with a ticket key that lives until
// SetTicketKeys is called.
func NewPolicies(o PolicyOptions) *Policies {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NextProtos == nil {
		o.NextProtos = []string{"h2", "http/1.1", "http/1.0"}
	}
	p := &Policies{refusing: refusingConfig(o), challenge: challengeConfig(o)}
	for i := range p.byProfile {
		p.byProfile[i] = policyConfig(Profile(i), o)
	}
	var first [32]byte
	rand.Read(first[:]) // never returns an error
	p.SetTicketKeys([][32]byte{first})
	return p
}

// Config returns the configuration of a profile, for GetConfigForClient to
// return as it is.
func (p *Policies) Config(profile Profile) *tls.Config {
	if int(profile) >= len(p.byProfile) {
		return p.byProfile[Modern]
	}
	return p.byProfile[profile]
}

// Refusing returns the configuration that ends every handshake with the alert
// unrecognized_name, before any signature and whatever ticket is offered.
func (p *Policies) Refusing() *tls.Config { return p.refusing }

// ChallengeProto is the one protocol above TLS that a TLS-ALPN-01 validation
// offers (RFC 8737 section 6.2).
const ChallengeProto = "acme-tls/1"

// Challenge returns the configuration that answers such a validation with the
// certificate that PolicyOptions.Certificate picks. Its sessions cannot be
// resumed.
func (p *Policies) Challenge() *tls.Config { return p.challenge }

// SetTicketKeys replaces the keys of session tickets: the first encrypts new
// ones, all decrypt. keys must not be empty. Handshakes may go on meanwhile.
func (p *Policies) SetTicketKeys(keys [][32]byte) {
	for _, c := range p.byProfile {
		c.SetSessionTicketKeys(keys)
	}
}

func policyConfig(profile Profile, o PolicyOptions) *tls.Config {
	c := &tls.Config{
		Time:             o.Now,
		MinVersion:       profile.minVersion(),
		MaxVersion:       tls.VersionTLS13,
		CipherSuites:     suites12(),
		CurvePreferences: groups(),
		NextProtos:       o.NextProtos,
		GetCertificate:   o.Certificate,
		// Head and body of an answer leave in one write; small first records
		// would cut it up.
		DynamicRecordSizingDisabled: true,
	}
	s := sessions{config: c, profile: profile, tenant: o.Tenant, now: o.Now}
	c.WrapSession = s.wrap
	c.UnwrapSession = s.unwrap
	return c
}

// challengeConfig has no tickets: what was proved once proves nothing later.
func challengeConfig(o PolicyOptions) *tls.Config {
	return &tls.Config{
		Time:                   o.Now,
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS13,
		CipherSuites:           suites12(),
		CurvePreferences:       groups(),
		NextProtos:             []string{ChallengeProto},
		SessionTicketsDisabled: true,
		GetCertificate:         o.Certificate,
	}
}

// refusingConfig offers no protocol above TLS, so that a client without a common
// one is refused for its name as well.
func refusingConfig(o PolicyOptions) *tls.Config {
	return &tls.Config{
		Time:                   o.Now,
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS13,
		CipherSuites:           suites12(),
		CurvePreferences:       groups(),
		SessionTicketsDisabled: true,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil },
	}
}

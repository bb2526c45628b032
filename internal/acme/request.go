package acme

import "crypto/x509"

// Host is a name that is to have a certificate.
type Host struct {
	Name    string // normalised; a wildcard as "*.x"
	Tenant  string // who owns it: whose credentials prove control of it
	Profile string // as the authority names it; empty: the one of the settings
}

// request asks for one certificate from one authority.
type request struct {
	Host
	CA       *authority
	Replaces *x509.Certificate // the predecessor, told to an authority that issued it (RFC 9773 section 5); may be nil
	Attempt  int               // how many attempts failed before; each begins with the next kind of challenge
	// Challenges are the kinds that can prove control, as DNS was last seen; nil:
	// all those of the settings.
	Challenges []string
	Because    string // why an authority before this one was not used; recorded with the certificate
}

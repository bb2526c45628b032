package localca

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

const (
	leafLife = 7 * 24 * time.Hour

	// maxNames bounds one leaf: with more, a handshake no longer fits the
	// first flight of packets. Keeper asks for one at a time.
	maxNames = 100

	// maxCommonName is ub-common-name of RFC 5280 appendix A.
	maxCommonName = 64

	maxHostBytes  = 253 // RFC 1035 section 2.3.4, without the final dot
	maxLabelBytes = 63
)

// Issue returns a new leaf for names: lower-case host names, wildcards of one
// label (*.acme.example) and IP addresses. It lives for seven days, and began
// an hour ago. Leaf is set, and the chain holds the intermediate.
func (c *CA) Issue(names []string) (*tls.Certificate, error) {
	template, err := leafTemplate(names)
	if err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	now := c.now()
	issuer := c.current.Load().intermediate
	if !now.Before(issuer.cert.NotAfter) {
		return nil, fmt.Errorf("internal CA: the intermediate ended on %s and is not yet replaced", issuer.cert.NotAfter.Format(time.RFC3339))
	}
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = earlier(now.Add(leafLife), issuer.cert.NotAfter)
	leaf, err := sign(template, issuer)
	if err != nil {
		return nil, fmt.Errorf("internal CA: leaf for %q: %w", names[0], err)
	}
	return leafCertificate(leaf, issuer), nil
}

// RenewAt returns when c, of which Leaf is set, is to be replaced: when two
// thirds of its life are over.
func RenewAt(c *tls.Certificate) time.Time { return renewAt(c.Leaf) }

func renewAt(cert *x509.Certificate) time.Time {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return cert.NotBefore.Add(life / 3 * 2)
}

// serves reports whether cert has begun and need not be replaced yet. One that
// has not begun was made before the clock went back.
func serves(cert *x509.Certificate, now time.Time) bool {
	return !now.Before(cert.NotBefore) && now.Before(renewAt(cert))
}

func leafCertificate(leaf, issuer *authority) *tls.Certificate {
	return &tls.Certificate{
		Certificate: [][]byte{leaf.cert.Raw, issuer.cert.Raw},
		PrivateKey:  leaf.key,
		Leaf:        leaf.cert,
	}
}

func leafTemplate(names []string) (*x509.Certificate, error) {
	if len(names) == 0 || len(names) > maxNames {
		return nil, fmt.Errorf("a leaf has 1 to %d names, not %d", maxNames, len(names))
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return nil, err
		}
		if addr, err := netip.ParseAddr(name); err == nil {
			template.IPAddresses = append(template.IPAddresses, net.IP(addr.AsSlice()))
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	// Nobody decides by the common name any more, but people read it.
	if len(names[0]) <= maxCommonName {
		template.Subject = pkix.Name{CommonName: names[0]}
	}
	return template, nil
}

// checkName takes one spelling of each name only, so that the name of a leaf
// and the name that was asked for are equal as strings.
func checkName(name string) error {
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" || addr.Unmap().String() != name {
			return fmt.Errorf("%q is not the usual spelling of an IP address; %s is", name, addr.WithZone("").Unmap())
		}
		return nil
	}
	if len(name) > maxHostBytes {
		return fmt.Errorf("a host name has at most %d bytes, not %d", maxHostBytes, len(name))
	}
	for label := range strings.SplitSeq(strings.TrimPrefix(name, "*."), ".") {
		if err := checkLabel(label); err != nil {
			return fmt.Errorf("%q is not a host name: %w", name, err)
		}
	}
	return nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("a label is empty")
	case len(label) > maxLabelBytes:
		return fmt.Errorf("a label has more than %d bytes", maxLabelBytes)
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("a label begins or ends with a hyphen")
	}
	for _, r := range []byte(label) {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
			return errors.New("only a-z, 0-9, - and _ may stand in a label")
		}
	}
	return nil
}

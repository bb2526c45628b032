package acme

import (
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"time"

	"gatehouse/tlsconfig"
)

// held is what is remembered of a certificate that is in the store: enough to
// serve it and to know when to renew it.
type held struct {
	certificate *tlsconfig.Certificate
	ca          string // as operators name it
	caID        string // empty for an imported one
	profile     string
	because     string
	serial      string
	notBefore   time.Time
	notAfter    time.Time
	obtained    time.Time
	window      ariWindow
	renewal     renewal   // by the window
	stapleAgain time.Time // zero: nobody is asked for staples
	dice        uint32    // spreads what would otherwise come at once
}

// hold summarises a bundle.
func hold(b *bundle, decoded *tlsconfig.Decoded) (*held, error) {
	leaf, err := b.leaf()
	if err != nil {
		return nil, err
	}
	certificate, err := tlsconfig.Compact("acme of "+b.Name, tlsconfig.Packed{Chain: b.Chain, Key: b.Key, Staple: b.Staple.Response}, decoded)
	if err != nil {
		return nil, err
	}
	h := &held{
		certificate: certificate,
		ca:          b.CA,
		caID:        b.CAID,
		profile:     b.Profile,
		because:     b.Because,
		serial:      serialOf(leaf),
		notBefore:   leaf.NotBefore,
		notAfter:    leaf.NotAfter,
		obtained:    b.Obtained,
		dice:        dice(leaf),
	}
	h.setWindow(b.Window)
	if len(leaf.OCSPServer) > 0 {
		h.stapleAgain = b.Staple.Again
		if h.stapleAgain.IsZero() {
			h.stapleAgain = b.Obtained
		}
	}
	return h, nil
}

// serialOf is the serial number as operators see it.
func serialOf(leaf *x509.Certificate) string { return hex.EncodeToString(leaf.SerialNumber.Bytes()) }

// dice is a number that is as good as random and always the same for one
// certificate.
func dice(leaf *x509.Certificate) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(leaf.Raw)
	sum := h.Sum(nil)
	return binary.BigEndian.Uint32(sum)
}

// lifetime is how long the certificate is good for.
func (h *held) lifetime() time.Duration { return h.notAfter.Sub(h.notBefore) }

// early reports whether the certificate is not good yet: the clock is wrong.
func (h *held) early(now time.Time) bool { return now.Before(h.notBefore) }

// expired reports whether the certificate is no longer good.
func (h *held) expired(now time.Time) bool { return now.After(h.notAfter) }

package tlsconfig

import "crypto/tls"

// Profile is what a host demands of TLS, after Mozilla's names.
type Profile uint8

// The profiles.
const (
	Intermediate Profile = iota // TLS 1.2 and 1.3
	Modern                      // TLS 1.3 alone

	profileCount = iota
)

// String returns the word that operators write.
func (p Profile) String() string {
	if p == Modern {
		return "modern"
	}
	return "intermediate"
}

// minVersion is the lowest protocol version of the profile.
func (p Profile) minVersion() uint16 {
	if p == Modern {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// suites12 are the TLS 1.2 suites: forward secret and authenticated encryption
// only. crypto/tls orders them by what both sides' hardware does best; those of
// TLS 1.3 cannot be chosen.
func suites12() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
}

// groups are the key exchanges: the hybrid with ML-KEM for who records today to
// decrypt later, then the curves that every client has.
func groups() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}

package tlsconfig

import (
	"crypto/x509"
	"encoding/pem"
)

// NamesIn returns the DNS names of the first certificate in certPEM, as
// [Certificate.Names] has them, and nil where none can be read. It is for those
// who may see a certificate and not its key.
func NamesIn(certPEM []byte) []string {
	for block, rest := pem.Decode(certPEM); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil
		}
		return hostNames(leaf)
	}
	return nil
}

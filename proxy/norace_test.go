//go:build !race

package proxy

// allocsMax is what crypto/tls allocates: a reader of 24 bytes for each record,
// here and in the client of the test.
const allocsMax = 2

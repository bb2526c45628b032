package compress

import "gatehouse/internal/http1"

// Coding is a content coding.
type Coding uint8

// The codings. The zero Coding is Identity: the body as it comes.
const (
	Identity Coding = iota
	Gzip            // RFC 1952
	Brotli          // RFC 7932
	Zstd            // RFC 8878
	codingsEnd
)

// names are the codings as fields and files write them (IANA's registry).
var names = [codingsEnd]string{Identity: "identity", Gzip: "gzip", Brotli: "br", Zstd: "zstd"}

// String returns the coding as Content-Encoding has it.
func (c Coding) String() string { return names[c] }

// Codings returns those that encode, in the order of their numbers.
func Codings() []Coding { return []Coding{Gzip, Brotli, Zstd} }

// named returns the coding of a name in a field; codingsEnd for one that we do
// not have. x-gzip is gzip (RFC 9110 section 8.4.1.3).
func named(name []byte) Coding {
	for c, n := range names {
		if http1.EqualFold(name, n) {
			return Coding(c)
		}
	}
	if http1.EqualFold(name, "x-gzip") {
		return Gzip
	}
	return codingsEnd
}

package http1

// Limits bounds what one message may take. A zero value admits nothing; begin
// with [DefaultLimits].
type Limits struct {
	HeadBytes           int // the head, from its first byte to the empty line included
	Fields              int // field lines of a head; also of a trailer section
	TargetBytes         int // the request target as received
	ChunkExtensionBytes int // all chunk extensions of one body together
	TrailerBytes        int // the trailer section, the empty line included
}

const (
	// headBytesDefault leaves room for the cookies and Kerberos tickets that
	// business applications pile up (nginx admits 33 KiB, HAProxy 16 KiB, Go
	// 1 MiB), while a thousand stalled heads stay below 64 MiB.
	headBytesDefault = 64 << 10
	// fieldsDefault: a browser sends about 20 fields, a chain of proxies 20
	// more; Apache admits 100, HAProxy 101.
	fieldsDefault = 128
	// targetBytesDefault is twice the 8,000 bytes that RFC 9112 section 3
	// recommends to support, for single sign-on tokens in queries.
	targetBytesDefault = 16 << 10
	// chunkExtensionBytesDefault: nobody uses extensions, and each one makes
	// the receiver read bytes that no body limit counts (CVE-2023-39326), so
	// the sum over a body is bounded.
	chunkExtensionBytesDefault = 4 << 10
	// trailerBytesDefault: a checksum, a signature or a gRPC status with its
	// details; Go and nginx bound trailers at 4 to 8 KiB as well.
	trailerBytesDefault = 8 << 10

	// optionsMax bounds the options of all Connection fields of a message, empty
	// ones included, because each field is compared with each of them: without
	// a bound one head of 64 KiB took 20 ms. Clients and origins send one to
	// four.
	optionsMax = 32
	// methodBytesMax: the longest registered method is UPDATEREDIRECTREF (17).
	methodBytesMax = 32
	// requestLineExtra is what a request line may hold beside its target.
	requestLineExtra = methodBytesMax + len("  HTTP/1.1\r\n")
	// contentLengthDigitsMax keeps every length, and the sum of two, below
	// 2^63 without an overflow check (RFC 9110 section 8.6 asks for care).
	contentLengthDigitsMax = 18
	// chunkDigitsMax is what a 64-bit size needs.
	chunkDigitsMax = 16
	// chunkSizeMax is 1 TiB: more than any body, and far from overflow when
	// sizes are added.
	chunkSizeMax = 1 << 40
)

// DefaultLimits returns the limits for messages from the open internet.
func DefaultLimits() Limits {
	return Limits{
		HeadBytes:           headBytesDefault,
		Fields:              fieldsDefault,
		TargetBytes:         targetBytesDefault,
		ChunkExtensionBytes: chunkExtensionBytesDefault,
		TrailerBytes:        trailerBytesDefault,
	}
}

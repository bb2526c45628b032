package metrics

import "sync/atomic"

// CodingNames are the values of the label coding, by the numbers that Compressed
// takes; the empty word stands for none.
var CodingNames = [...]string{"", "gzip", "br", "zstd"}

// compression is what a tenant's answers were compressed with, and to how much.
type compression struct {
	answers  [len(CodingNames)]atomic.Uint64
	in, out  atomic.Uint64
	declined atomic.Uint64
}

// Compressed counts one answer that was compressed, whether it came to its end or
// not, with the bytes of its body before and after; coding is an index of
// CodingNames, and one outside of it is not counted.
func (t *Tenant) Compressed(coding uint8, in, out int64) {
	if t == nil || int(coding) >= len(t.compression.answers) {
		return
	}
	t.compression.answers[coding].Add(1)
	t.compression.in.Add(uint64(in))
	t.compression.out.Add(uint64(out))
}

// CompressionDeclined counts one answer that was not compressed because there
// was no encoder for it.
func (t *Tenant) CompressionDeclined() {
	if t != nil {
		t.compression.declined.Add(1)
	}
}

func (e emitter) compression(t *Tenant) {
	for coding := 1; coding < len(CodingNames); coding++ {
		e.moved(tenantCompressed, t.compression.answers[coding].Load(), t.id, CodingNames[coding])
	}
	e.moved(tenantUncompressed, t.compression.in.Load(), t.id)
	e.moved(tenantCompressedBytes, t.compression.out.Load(), t.id)
	e.moved(tenantCompressionDeclined, t.compression.declined.Load(), t.id)
}

// encoders are those of all tenants.
type encoders struct{ taken, of atomic.Int64 }

// Encoders notes how many answers are being compressed, and how many may be.
func (s *Set) Encoders(taken, of int) {
	if s != nil {
		s.encoders.taken.Store(int64(taken))
		s.encoders.of.Store(int64(of))
	}
}

func (e emitter) encoders(s *encoders) {
	e.gauge(encodersTaken, float64(s.taken.Load()))
	e.gauge(encodersOf, float64(s.of.Load()))
}

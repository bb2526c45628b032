package compress

import (
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// How hard the encoders try. Measured with 64 KiB of JSON, in time and in what is
// left of it: zstd's fastest 0.4 ms and 18 %, gzip 5 0.9 ms and 21 %, brotli 1 0.9 ms
// and 20 %. Each holds 0.9 to 1.1 MiB. To try harder takes two to four times as
// long and up to three times the memory, for a twentieth less.
const (
	gzipLevel     = 5
	brotliQuality = 1
	brotliWindow  = 18 // bits: 256 KiB
	// zstdWindow is far below the 8 MiB that every client must have (RFC 9659).
	zstdWindow = 256 << 10
)

// outKept is the room for what has been coded that an encoder keeps. A piece of a
// body that is 64 KiB long and does not get shorter fits, with its frame.
const outKept = 80 << 10

// Encoders are those that nobody uses at the moment. The zero Encoders is ready.
// How many may be in use is up to the caller.
type Encoders struct{ idle [codingsEnd]sync.Pool }

// Encoder codes one body, piece by piece. What its methods return is valid until
// the next call. They return an error only if the library finds fault with
// itself.
type Encoder struct {
	coding  Coding
	to      writer
	out     room
	pending bool
}

// writer is what the libraries have in common.
type writer interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// room gathers what has been coded.
type room struct{ bytes []byte }

func (r *room) Write(p []byte) (int, error) {
	r.bytes = append(r.bytes, p...)
	return len(p), nil
}

// Take returns an encoder at the beginning of a body. c is not Identity.
func (e *Encoders) Take(c Coding) *Encoder {
	x, ok := e.idle[c].Get().(*Encoder)
	if !ok {
		x = &Encoder{coding: c, to: newWriter(c)}
	}
	x.out.bytes, x.pending = x.out.bytes[:0], false
	x.to.Reset(&x.out)
	return x
}

// Give takes back an encoder, whether its body came to an end or not.
func (e *Encoders) Give(x *Encoder) {
	if cap(x.out.bytes) > outKept {
		x.out.bytes = nil
	}
	e.idle[x.coding].Put(x)
}

func newWriter(c Coding) writer {
	switch c {
	case Brotli:
		return brotli.NewWriterOptions(io.Discard, brotli.WriterOptions{Quality: brotliQuality, LGWin: brotliWindow})
	case Zstd:
		// One goroutine, the caller's. What comes over TLS needs no checksum.
		w, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(err) // the options are constants
		}
		return w
	}
	w, err := gzip.NewWriterLevel(io.Discard, gzipLevel)
	if err != nil {
		panic(err)
	}
	return w
}

// Coding returns the encoder's coding.
func (x *Encoder) Coding() Coding { return x.coding }

// Pending reports whether Flush has something to bring out.
func (x *Encoder) Pending() bool { return x.pending }

// Encode takes in a piece, and returns what is coded so far: often nothing.
func (x *Encoder) Encode(p []byte) ([]byte, error) {
	x.out.bytes, x.pending = x.out.bytes[:0], true
	_, err := x.to.Write(p)
	return x.out.bytes, err
}

// Flush returns the rest of what was taken in, so that the client can decode all
// of it.
func (x *Encoder) Flush() ([]byte, error) {
	x.out.bytes, x.pending = x.out.bytes[:0], false
	err := x.to.Flush()
	return x.out.bytes, err
}

// End returns the rest and the end of the body.
func (x *Encoder) End() ([]byte, error) {
	x.out.bytes, x.pending = x.out.bytes[:0], false
	err := x.to.Close()
	return x.out.bytes, err
}

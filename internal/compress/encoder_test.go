package compress

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded reads all of a coded body, or as much as there is of it.
func decoded(t testing.TB, c Coding, body []byte) ([]byte, error) {
	t.Helper()
	var r io.Reader = brotli.NewReader(bytes.NewReader(body))
	var err error
	switch c {
	case Gzip:
		if r, err = gzip.NewReader(bytes.NewReader(body)); err != nil {
			return nil, err
		}
	case Zstd:
		d, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		r = d
	}
	text, err := io.ReadAll(r)
	return text, err
}

// rows is what an application answers with.
func rows(n int) []byte {
	var b bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	for b.Len() < n {
		fmt.Fprintf(&b, `{"id":%d,"name":"customer %x","amount":%d.%02d,"status":"paid"},`, r.IntN(1e6), r.Uint32(), r.IntN(1000), r.IntN(100))
	}
	return b.Bytes()[:n]
}

func must(t testing.TB) func([]byte, error) []byte {
	return func(out []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func TestEncode(t *testing.T) {
	var encoders Encoders
	text := rows(300 << 10)
	for _, c := range Codings() {
		for _, size := range []int{1, 700, 16 << 10, 64 << 10, len(text)} {
			whole := text
			if size == 1 {
				whole = text[:2000]
			}
			x, ok := encoders.Take(c), must(t)
			var out []byte
			for piece := range slices.Chunk(whole, size) {
				out = append(out, ok(x.Encode(piece))...)
			}
			out = append(out, ok(x.End())...)
			encoders.Give(x)
			got, err := decoded(t, c, out)
			if err != nil || !bytes.Equal(got, whole) {
				t.Errorf("%v in pieces of %d: %d bytes, %v; want %d", c, size, len(got), err, len(whole))
			}
			if len(whole) > 4096 && len(out) > len(whole)/2 {
				t.Errorf("%v in pieces of %d: %d bytes of %d are left", c, size, len(out), len(whole))
			}
		}
	}
}

// TestFlush: what was flushed can be read, though the end has not come.
func TestFlush(t *testing.T) {
	var encoders Encoders
	for _, c := range Codings() {
		x, ok := encoders.Take(c), must(t)
		var out []byte
		for n := range 5 {
			text := fmt.Appendf(nil, "piece %d", n)
			if out = append(out, ok(x.Encode(text))...); !x.Pending() {
				t.Errorf("%v: a piece is pending, and nobody knows", c)
			}
			if out = append(out, ok(x.Flush())...); x.Pending() {
				t.Errorf("%v: what was flushed is pending", c)
			}
			if got, _ := decoded(t, c, out); !bytes.HasSuffix(got, text) {
				t.Errorf("%v: after flush %d a client reads %q", c, n, got)
			}
		}
		encoders.Give(x) // in the middle of a body
		again := encoders.Take(c)
		out = append(bytes.Clone(ok(again.Encode([]byte("another body")))), ok(again.End())...)
		if got, err := decoded(t, c, out); err != nil || string(got) != "another body" {
			t.Errorf("%v: after a body that was left: %q, %v", c, got, err)
		}
		empty := encoders.Take(c)
		if got, err := decoded(t, c, ok(empty.End())); err != nil || len(got) > 0 {
			t.Errorf("%v: of an empty body: %q, %v", c, got, err)
		}
	}
}

// TestEncoderKeepsLittle: what does not get shorter leaves no large room behind.
func TestEncoderKeepsLittle(t *testing.T) {
	var encoders Encoders
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for _, c := range Codings() {
		x := encoders.Take(c)
		must(t)(x.Encode(noise))
		must(t)(x.End())
		encoders.Give(x)
		if cap(x.out.bytes) > outKept {
			t.Errorf("%v: room for %d bytes is kept", c, cap(x.out.bytes))
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add([]byte("hello, hello, hello"), uint8(1), uint64(3))
	f.Fuzz(func(t *testing.T, text []byte, coding uint8, cuts uint64) {
		c := Codings()[int(coding)%len(Codings())]
		var encoders Encoders
		x, ok := encoders.Take(c), must(t)
		var out []byte
		for rest := text; len(rest) > 0; cuts /= 7 {
			n := min(len(rest), 1+int(cuts%97))
			out = append(out, ok(x.Encode(rest[:n]))...)
			if rest = rest[n:]; cuts%2 == 0 {
				out = append(out, ok(x.Flush())...)
			}
		}
		out = append(out, ok(x.End())...)
		if got, err := decoded(t, c, out); err != nil || !bytes.Equal(got, text) {
			t.Errorf("%v: %q becomes %q, %v", c, text, got, err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		for _, c := range Codings() {
			b.Run(fmt.Sprintf("%v/%dKiB", c, size>>10), func(b *testing.B) {
				var encoders Encoders
				text, left := rows(size), 0
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					x := encoders.Take(c)
					first, _ := x.Encode(text)
					left = len(first)
					last, err := x.End()
					if err != nil {
						b.Fatal(err)
					}
					left += len(last)
					encoders.Give(x)
				}
				b.ReportMetric(float64(left)*100/float64(size), "%left")
			})
		}
	}
}

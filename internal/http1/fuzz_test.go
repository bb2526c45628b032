package http1

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzRequestHead: any split gives the same result, what is accepted reads the
// same in net/http and after having been written again.
func FuzzRequestHead(f *testing.F) {
	for _, c := range acceptedRequests {
		if len(c.head) < 1000 {
			f.Add([]byte(c.head))
		}
	}
	for _, c := range refusedRequests {
		if len(c.head) < 1000 {
			f.Add([]byte(c.head))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var h RequestHead
		want, wantErr := requestInTwo(&h, in, len(in))
		for at := range splits(len(in), 64) {
			got, err := requestInTwo(&h, in, at)
			if err != wantErr || got != want {
				t.Fatalf("split at %d of %q: %v %v, whole %v %v", at, in, got, err, want, wantErr)
			}
		}
		if wantErr != nil {
			return
		}
		compareRequest(t, &h, in[:want.n])
		out := appendRequestLine(nil, &h)
		for _, field := range h.Fields {
			out = AppendField(out, field.Name, field.Value)
		}
		out = AppendFieldsEnd(out)
		var again RequestHead
		if n, err := again.Parse(out, DefaultLimits()); h.Minor == 1 && (err != nil || n != len(out)) {
			t.Fatalf("%q was written as %q: %d, %v", in, out, n, err)
		}
	})
}

// FuzzResponseHead is FuzzRequestHead for the other side.
func FuzzResponseHead(f *testing.F) {
	for _, c := range acceptedResponses {
		f.Add([]byte(c.head), false)
	}
	for _, c := range refusedResponses {
		if len(c.head) < 1000 {
			f.Add([]byte(c.head), true)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, head bool) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		var h ResponseHead
		want, wantErr := responseInTwo(&h, in, []byte(method), len(in))
		for at := range splits(len(in), 64) {
			got, err := responseInTwo(&h, in, []byte(method), at)
			if err != wantErr || got != want {
				t.Fatalf("split at %d of %q: %v %v, whole %v %v", at, in, got, err, want, wantErr)
			}
		}
		if wantErr == nil {
			compareResponse(t, &h, in[:want.n], method)
		}
	})
}

// FuzzChunked: any split gives the same result, what is accepted decodes the
// same in net/http and after having been encoded again.
func FuzzChunked(f *testing.F) {
	for _, c := range acceptedBodies {
		f.Add([]byte(c.body), 1)
	}
	for _, c := range refusedBodies {
		if len(c.body) < 1000 {
			f.Add([]byte(c.body), 3)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		var d ChunkDecoder
		want, wantDone, wantErr := decodeBy(&d, in, len(in)+1, DefaultLimits())
		for _, step := range []int{1, 2, max(1, step%(len(in)+1))} {
			got, done, err := decodeBy(&d, in, step, DefaultLimits())
			if err != wantErr || done != wantDone || err == nil && !reflect.DeepEqual(want, got) {
				t.Fatalf("%q, %d bytes at a time: %v %v %v, whole %v %v %v", in, step, got, done, err, want, wantDone, wantErr)
			}
		}
		if !wantDone {
			return
		}
		compareBody(t, in, want)
		out := AppendLastChunk(AppendChunk(nil, []byte(want.Data)), d.Trailers)
		again, done, err := decodeBy(&d, bytes.Clone(out), len(out), DefaultLimits())
		want.N = len(out)
		if diff := cmp.Diff(want, again); err != nil || !done || diff != "" {
			t.Fatalf("%q was encoded as %q: %v %v\n%s", in, out, done, err, diff)
		}
	})
}

// TestErrorsAreUnwrapped holds what callers rely on: a type assertion finds
// the refusal.
func TestErrorsAreUnwrapped(t *testing.T) {
	var h RequestHead
	_, err := h.Parse([]byte("GET / HTTP/3.0\r\n\r\n"), DefaultLimits())
	if e, is := err.(*Error); !is || e.Status != 400 || errors.Unwrap(err) != nil { //nolint:errorlint // the promise itself
		t.Errorf("%T %v", err, err)
	}
}

package http1

import (
	"bytes"
	"errors"
	"testing"
)

// told is everything that a head says, cloned from its buffer.
type told struct {
	n    int
	text string
}

func fieldsOf(fields []Field) (out [][2]string) {
	for _, f := range fields {
		out = append(out, [2]string{string(f.Name), string(f.Value)})
	}
	return out
}

// tellFields writes fields down; no name or value holds a line feed.
func tellFields(line string, fields []Field) string {
	b := []byte(line)
	for _, f := range fields {
		b = append(b, '\n')
		b = append(b, f.Name...)
		b = append(b, '\n')
		b = append(b, f.Value...)
	}
	return string(b)
}

// requestInTwo parses a head that arrives in two reads, the second of which
// finds the buffer elsewhere in memory.
func requestInTwo(h *RequestHead, head []byte, at int) (told, error) {
	h.Reset()
	n, err := h.Parse(bytes.Clone(head[:at]), DefaultLimits())
	if errors.Is(err, ErrIncomplete) {
		n, err = h.Parse(head, DefaultLimits())
	}
	if err != nil {
		return told{}, err
	}
	return told{n, tellFields(h.tell(), h.Fields)}, nil
}

func responseInTwo(h *ResponseHead, head, method []byte, at int) (told, error) {
	h.Reset()
	n, err := h.Parse(bytes.Clone(head[:at]), method, DefaultLimits())
	if errors.Is(err, ErrIncomplete) {
		n, err = h.Parse(head, method, DefaultLimits())
	}
	if err != nil {
		return told{}, err
	}
	return told{n, tellFields(h.tell(), h.Fields)}, nil
}

// splits are the places where a message of n bytes is cut: all of them, or no
// more than about most.
func splits(n, most int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for at := 0; at <= n; at += 1 + n/most {
			if !yield(at) {
				return
			}
		}
	}
}

// everySplit leaves places out only where the tables fill a message with one
// letter.
const everySplit = 2000

func TestRequestsSplitAnywhere(t *testing.T) {
	for _, c := range acceptedRequests {
		var h RequestHead
		head := []byte(c.head)
		want, err := requestInTwo(&h, head, len(head))
		if err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		for at := range splits(len(head), everySplit) {
			got, err := requestInTwo(&h, head, at)
			if err != nil || got != want {
				t.Fatalf("%s, split at %d: %v\n got %+v\nwant %+v", c.why, at, err, got, want)
			}
		}
	}
}

func TestResponsesSplitAnywhere(t *testing.T) {
	for _, c := range acceptedResponses {
		var h ResponseHead
		head := []byte(c.head)
		want, err := responseInTwo(&h, head, methodFor(c.why), len(head))
		if err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		for at := range splits(len(head), everySplit) {
			got, err := responseInTwo(&h, head, methodFor(c.why), at)
			if err != nil || got != want {
				t.Fatalf("%s, split at %d: %v\n got %+v\nwant %+v", c.why, at, err, got, want)
			}
		}
	}
}

// TestNothingStays parses each request after each kind of other request with
// the same head: what one said must not show in the next.
func TestNothingStays(t *testing.T) {
	var used RequestHead
	for _, before := range acceptedRequests {
		for _, c := range []string{get + host + end, "POST /x?y HTTP/1.0\r\nHost: b.example:81\r\nA: b\r\nContent-Length: 3\r\n\r\n"} {
			if _, err := used.Parse([]byte(before.head), DefaultLimits()); err != nil {
				t.Fatal(err)
			}
			var fresh RequestHead
			want, _ := requestInTwo(&fresh, []byte(c), len(c))
			n, err := used.Parse([]byte(c), DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			got := told{n, tellFields(used.tell(), used.Fields)}
			if got != want {
				t.Fatalf("after %s:\n got %+v\nwant %+v", before.why, got, want)
			}
		}
	}
}

func TestResetForgetsHalfAHead(t *testing.T) {
	var h RequestHead
	if _, err := h.Parse([]byte("GET /a HTTP/1.1\r\nHost: a.ex"), DefaultLimits()); !errors.Is(err, ErrIncomplete) {
		t.Fatal(err)
	}
	h.Reset()
	if _, err := h.Parse([]byte(get+host+end), DefaultLimits()); err != nil || h.tell() != "GET / 1.1 a.example:0 keep" {
		t.Errorf("%v %s", err, h.tell())
	}
	h.Reset()
	if h.Host != nil || h.Path != nil || len(h.Fields) != 0 || h.KeepAlive {
		t.Errorf("after Reset: %s", h.tell())
	}
}

// TestHeadBytesIsExact holds the bound to the byte.
func TestHeadBytesIsExact(t *testing.T) {
	head := []byte(get + host + end)
	lim := DefaultLimits()
	var h RequestHead
	lim.HeadBytes = len(head)
	if _, err := h.Parse(head, lim); err != nil {
		t.Errorf("a head as long as allowed: %v", err)
	}
	lim.HeadBytes--
	if _, err := h.Parse(head, lim); err != &errHeadLong.request {
		t.Errorf("a head one byte longer: %v", err)
	}
}

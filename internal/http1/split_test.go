package http1

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told is everything that a head says, cloned from its buffer.
type told struct {
	N      int
	Line   string
	Fields [][2]string
}

func fieldsOf(fields []Field) (out [][2]string) {
	for _, f := range fields {
		out = append(out, [2]string{string(f.Name), string(f.Value)})
	}
	return out
}

// requestInTwo parses a head that arrives in two reads, the second of which
// finds the buffer elsewhere in memory.
func requestInTwo(h *RequestHead, head []byte, at int) (told, error) {
	n, err := h.Parse(bytes.Clone(head[:at]), DefaultLimits())
	if errors.Is(err, ErrIncomplete) {
		n, err = h.Parse(head, DefaultLimits())
	}
	if err != nil {
		return told{}, err
	}
	return told{n, h.tell(), fieldsOf(h.Fields)}, nil
}

func responseInTwo(h *ResponseHead, head, method []byte, at int) (told, error) {
	n, err := h.Parse(bytes.Clone(head[:at]), method, DefaultLimits())
	if errors.Is(err, ErrIncomplete) {
		n, err = h.Parse(head, method, DefaultLimits())
	}
	if err != nil {
		return told{}, err
	}
	return told{n, h.tell(), fieldsOf(h.Fields)}, nil
}

func TestRequestsSplitAnywhere(t *testing.T) {
	for _, c := range acceptedRequests {
		var h RequestHead
		head := []byte(c.head)
		want, err := requestInTwo(&h, head, len(head))
		if err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		for at := range head {
			got, err := requestInTwo(&h, head, at)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%s, split at %d: %v\n%s", c.why, at, err, diff)
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
		for at := range head {
			got, err := responseInTwo(&h, head, methodFor(c.why), at)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%s, split at %d: %v\n%s", c.why, at, err, diff)
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
			got, _ := requestInTwo(&used, []byte(c), len(c))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("after %s: %s", before.why, diff)
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

package http1

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// appendRequestLine writes what a proxy sends on: the target in origin form, or
// "*", byte for byte as it came.
func appendRequestLine(b []byte, h *RequestHead) []byte {
	b = append(append(b, h.Method...), ' ')
	b = append(b, h.Path...)
	if h.HasQuery {
		b = append(append(b, '?'), h.Query...)
	}
	return append(b, " HTTP/1.1\r\n"...)
}

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		got  []byte
		want string
	}{
		{AppendStatusLine([]byte("x"), 421), "xHTTP/1.1 421 Misdirected Request\r\n"},
		{AppendStatusLine(nil, 299), "HTTP/1.1 299 \r\n"},
		{AppendStatusReason(nil, 200, []byte("Fine")), "HTTP/1.1 200 Fine\r\n"},
		{AppendField(nil, []byte("A"), []byte("b")), "A: b\r\n"},
		{AppendFieldString(nil, "A", "b"), "A: b\r\n"},
		{AppendFieldInt(nil, "A", -7), "A: -7\r\n"},
		{AppendFieldsEnd(nil), "\r\n"},
		{AppendInt(nil, 1<<60), "1152921504606846976"},
		{AppendChunkEnd(AppendChunkHeader(nil, 65535)), "ffff\r\n\r\n"},
		{AppendChunk(nil, []byte("hello")), "5\r\nhello\r\n"},
		{AppendChunk(nil, nil), ""},
		{AppendLastChunk(nil, nil), "0\r\n\r\n"},
		{AppendLastChunk(nil, []Field{{[]byte("A"), []byte("b")}}), "0\r\nA: b\r\n\r\n"},
	} {
		if string(c.got) != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if got := len(AppendChunkEnd(AppendChunkHeader(nil, 1<<62))); got > ChunkOverheadMax {
		t.Errorf("a chunk costs %d bytes, ChunkOverheadMax is %d", got, ChunkOverheadMax)
	}
}

// TestReasons compares with net/http, but for phrases that RFC 9110 renamed
// and codes that the registry holds unused or obsolete.
func TestReasons(t *testing.T) {
	registry := map[int]string{
		413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable",
		422: "Unprocessable Content", 418: "", 510: "",
	}
	for status := -1; status < 1000; status++ {
		want, differs := registry[status]
		if !differs {
			want = http.StatusText(status)
		}
		if got := Reason(status); got != want {
			t.Errorf("Reason(%d) = %q, want %q", status, got, want)
		}
	}
}

// TestRewrittenRequestsReadTheSame writes each accepted request again and
// parses what was written.
func TestRewrittenRequestsReadTheSame(t *testing.T) {
	for _, c := range acceptedRequests {
		var first, second RequestHead
		if _, err := first.Parse([]byte(c.head), DefaultLimits()); err != nil {
			t.Fatal(err)
		}
		out := appendRequestLine(nil, &first)
		for _, f := range first.Fields {
			out = AppendField(out, f.Name, f.Value)
		}
		out = AppendFieldsEnd(out)
		n, err := second.Parse(out, DefaultLimits())
		switch {
		case first.Minor == 0 && first.expectElse && err == error(&errExpectation.request):
			continue // now that it claims HTTP/1.1, the expectation counts
		case err != nil || n != len(out):
			t.Errorf("%s: wrote %q: %d, %v", c.why, out, n, err)
		case !bytes.Equal(first.Path, second.Path) || !bytes.Equal(first.Query, second.Query) || first.HasQuery != second.HasQuery:
			t.Errorf("%s: wrote %q", c.why, out)
		}
		if diff := cmp.Diff(fieldsOf(first.Fields), fieldsOf(second.Fields)); diff != "" {
			t.Errorf("%s: %s", c.why, diff)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		name, lower string
		want        bool
	}{
		{"Host", "host", true},
		{"HOST", "host", true},
		{"host", "host", true},
		{"hos", "host", false},
		{"Ho\xc5\xbft", "host", false},
		{"Key", "\xe2\x84\xaaey", false},
		{"X@[", "x@[", true},
		{"x`{", "x@[", false},
		{"a\rb", "a-b", false},
		{"", "", true},
	} {
		if got := EqualFold([]byte(c.name), c.lower); got != c.want {
			t.Errorf("EqualFold(%q, %q) = %v", c.name, c.lower, got)
		}
	}
}

// TestIsFieldValue puts every byte at every place of a word against the plain
// definition.
func TestIsFieldValue(t *testing.T) {
	for c := range 256 {
		for size := range 20 {
			for at := range size {
				b := []byte(strings.Repeat("a", size))
				b[at] = byte(c)
				want := c == '\t' || (c >= ' ' && c != 0x7f)
				if got := IsFieldValue(b); got != want {
					t.Fatalf("IsFieldValue(%q) = %v, want %v", b, got, want)
				}
			}
		}
	}
}

package http1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The standard library is the second opinion: whatever is accepted here must
// mean the same there. It refuses two things of no consequence, which
// standardCannot lists.

// standardCannot reports accepted requests that http.ReadRequest does not
// take: an empty line before, and percent signs that begin no encoding (they
// pass here as bytes; the path is judged by the table).
func standardCannot(h *RequestHead, head []byte) bool {
	_, err := url.PathUnescape(string(h.Path))
	return head[0] == '\r' || err != nil
}

func compareRequest(t *testing.T, h *RequestHead, head []byte) {
	t.Helper()
	if standardCannot(h, head) {
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		t.Errorf("%q: net/http refuses it: %v", head, err)
		return
	}
	wantHost := string(h.Host)
	if h.AbsoluteScheme != "" {
		wantHost = string(h.Authority)
	}
	length := h.ContentLength
	same := r.Method == string(h.Method) && r.RequestURI == string(h.Target) && r.Host == wantHost &&
		r.ProtoMajor == 1 && r.ProtoMinor == int(h.Minor) && r.ContentLength == length &&
		r.URL.RawQuery == string(h.Query) && (len(r.TransferEncoding) == 1) == (h.Framing == Chunked)
	if !same {
		t.Errorf("%q:\nnet/http %s %s %s %d.%d %d %v\nhere %s", head, r.Method, r.RequestURI, r.Host,
			r.ProtoMajor, r.ProtoMinor, r.ContentLength, r.TransferEncoding, h.tell())
	}
	compareFields(t, h.Fields, r.Header, "Host", "Transfer-Encoding", "Trailer")
	if h.Minor == 1 && r.Close == h.KeepAlive {
		t.Errorf("%q: net/http close=%v, here keep=%v", head, r.Close, h.KeepAlive)
	}
}

// compareFields compares but for names that the standard library takes out.
func compareFields(t *testing.T, fields []Field, header http.Header, but ...string) {
	t.Helper()
	got := http.Header{}
	for _, f := range fields {
		name := http.CanonicalHeaderKey(string(f.Name))
		if !slices.Contains(but, name) {
			got[name] = append(got[name], string(f.Value))
		}
	}
	for _, name := range but {
		header.Del(name)
	}
	if len(got) != len(header) {
		t.Errorf("fields %q, net/http %q", got, header)
	}
	for name, values := range got {
		if !slices.Equal(values, header[name]) {
			t.Errorf("%s: %q, net/http %q", name, values, header[name])
		}
	}
}

func compareResponse(t *testing.T, h *ResponseHead, head []byte, method string) {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: method})
	if err != nil {
		t.Errorf("%q: net/http refuses it: %v", head, err)
		return
	}
	if r.StatusCode != h.Status || r.ProtoMinor != int(h.Minor) {
		t.Errorf("%q: net/http %d 1.%d, here %s", head, r.StatusCode, r.ProtoMinor, h.tell())
	}
	if h.Framing != NoBody && (r.ContentLength != h.ContentLength || (len(r.TransferEncoding) == 1) != (h.Framing == Chunked)) {
		t.Errorf("%q: net/http %d %v, here %s", head, r.ContentLength, r.TransferEncoding, h.tell())
	}
	if h.Status >= 200 { // net/http leaves framing fields of interim answers alone
		compareFields(t, h.Fields, r.Header, "Transfer-Encoding", "Trailer", "Content-Length", "Connection")
	}
}

func TestRequestsReadAsByNetHTTP(t *testing.T) {
	var h RequestHead
	for _, c := range acceptedRequests {
		if n, err := h.Parse([]byte(c.head), DefaultLimits()); err == nil {
			compareRequest(t, &h, []byte(c.head[:n]))
		}
	}
}

func TestResponsesReadAsByNetHTTP(t *testing.T) {
	var h ResponseHead
	for _, c := range acceptedResponses {
		method := methodFor(c.why)
		if n, err := h.Parse([]byte(c.head), method, DefaultLimits()); err == nil {
			compareResponse(t, &h, []byte(c.head[:n]), string(method))
		}
	}
}

func compareBody(t *testing.T, body []byte, want decoded) {
	t.Helper()
	head := "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n"
	in := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(body[:want.N])))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil || string(data) != want.Data {
		t.Errorf("%q: net/http %q, %v, here %q", body, data, err, want.Data)
	}
	if left, _ := io.ReadAll(in); len(left) > 0 {
		t.Errorf("%q: net/http leaves %q", body, left)
	}
}

func TestBodiesReadAsByNetHTTP(t *testing.T) {
	for _, c := range acceptedBodies {
		compareBody(t, []byte(c.body), decoded{c.data, len(c.body), c.trailers})
	}
}

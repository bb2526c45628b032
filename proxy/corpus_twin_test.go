package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/http1"
)

// standardRefuses are the cases of the corpus that net/http does not take,
// although it should: each is tried.
var standardRefuses = map[string]string{
	"leading-lines/one":               "an empty line before a request (RFC 9112 2.2)",
	"leading-lines/one-between":       "the same",
	"leading-lines/one-behind-chunks": "the same",
	"chunk-extensions/as-many-bytes":  "a line of a chunk of 4 KiB",
}

// wideLimits leave room for what the gateway adds to a head that fills its
// bounds.
func wideLimits() http1.Limits {
	wide := http1.DefaultLimits()
	wide.HeadBytes += 1 << 10
	wide.Fields += 16
	return wide
}

// twinMessage is a message as one of two parsers understands it.
type twinMessage struct {
	Start, Host string
	Fields      map[string][]string // without those that net/http takes out
	Body        string
	Trailers    map[string][]string
}

// ownRequest is a request as internal/http1 understands it.
type ownRequest struct {
	http1.RequestHead
	body     string
	trailers []http1.Field
}

// TestCorpusRequestsReadAsByNetHTTP compares what internal/http1 and net/http
// understand of each request that is accepted, and of what is made of it for
// the backend.
func TestCorpusRequestsReadAsByNetHTTP(t *testing.T) {
	for _, archive := range readCorpus(t, "requests") {
		for _, c := range archive.cases {
			if len(c.backend) == 0 || c.ending.ours || c.ending.how == "cut" {
				continue
			}
			t.Run(archive.class+"/"+c.name, func(t *testing.T) {
				tunnel := c.ending.how == "tunnel"
				sent := readOwn(t, c.in, tunnel)
				compareTwins(t, sent, c.in, standardRefuses[archive.class+"/"+c.name])
				emitted := readOwn(t, strings.Join(c.backend, ""), tunnel)
				compareTwins(t, emitted, strings.Join(c.backend, ""), "")
				if len(emitted) != len(sent) {
					t.Fatalf("%d requests came, %d went on", len(sent), len(emitted))
				}
				for i := range sent {
					compareEmitted(t, sent[i], emitted[i], c.tenant != "")
				}
			})
		}
	}
}

// readOwn reads requests until the client allows no more, or a tunnel begins.
func readOwn(t *testing.T, text string, tunnel bool) []*ownRequest {
	t.Helper()
	var requests []*ownRequest
	for rest := []byte(text); len(rest) > 0; {
		r := new(ownRequest)
		n, err := r.Parse(rest, wideLimits())
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		if rest, err = r.readBody(rest[n:]); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		requests = append(requests, r)
		if !r.KeepAlive || tunnel {
			break
		}
	}
	return requests
}

// readBody reads the body in front of rest, and returns what is behind it.
func (r *ownRequest) readBody(rest []byte) ([]byte, error) {
	if r.Framing != http1.Chunked {
		if int64(len(rest)) < r.ContentLength {
			return nil, io.ErrUnexpectedEOF
		}
		r.body = string(rest[:r.ContentLength])
		return rest[r.ContentLength:], nil
	}
	var err error
	r.body, r.trailers, rest, err = decodeChunks(rest)
	return rest, err
}

func decodeChunks(rest []byte) (body string, trailers []http1.Field, behind []byte, err error) {
	var chunks http1.ChunkDecoder
	chunks.Reset(http1.DefaultLimits())
	for {
		data, n, done, err := chunks.Next(rest)
		body += string(data)
		rest = rest[n:]
		switch {
		case err != nil:
			return "", nil, nil, err
		case done:
			return body, chunks.Trailers, rest, nil
		case len(rest) == 0:
			return "", nil, nil, io.ErrUnexpectedEOF
		}
	}
}

// compareTwins lets net/http read the same requests from text.
func compareTwins(t *testing.T, own []*ownRequest, text, refused string) {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(text))
	for _, r := range own {
		standard, body, err := readStandard(in)
		if err != nil && refused != "" {
			return
		}
		if err != nil {
			t.Fatalf("net/http: %v", err)
		}
		want := twinMessage{
			Start: standard.Method + " " + standard.RequestURI + " " + standard.Proto, Host: standard.Host,
			Fields: seenByBoth(standard.Header), Body: body, Trailers: seenByBoth(standard.Trailer),
		}
		if diff := cmp.Diff(want, r.message()); diff != "" {
			t.Errorf("-net/http +internal/http1:\n%s", diff)
		}
		if standard.Close == r.KeepAlive && r.Minor == 1 {
			t.Errorf("net/http ends the connection: %v, internal/http1 keeps it: %v", standard.Close, r.KeepAlive)
		}
	}
	if refused != "" {
		t.Errorf("net/http takes it now: %s", refused)
	}
}

func readStandard(in *bufio.Reader) (r *http.Request, body string, err error) {
	if r, err = http.ReadRequest(in); err != nil {
		return nil, "", err
	}
	all, err := io.ReadAll(r.Body)
	return r, string(all), err
}

func (r *ownRequest) message() twinMessage {
	host := r.Host
	if r.AbsoluteScheme != "" {
		host = r.Authority
	}
	return twinMessage{
		Start: fmt.Sprintf("%s %s HTTP/1.%d", r.Method, r.Target, r.Minor), Host: string(host),
		Fields: seenByBoth(grouped(r.Fields)), Body: r.body, Trailers: seenByBoth(grouped(r.trailers)),
	}
}

// grouped orders fields as net/http does.
func grouped(fields []http1.Field) http.Header {
	h := make(http.Header)
	for _, f := range fields {
		h.Add(string(f.Name), string(f.Value))
	}
	return h
}

// seenByBoth leaves out what net/http takes out, and trailers that were announced
// and did not come.
func seenByBoth(h http.Header) map[string][]string {
	left := make(map[string][]string)
	for name, values := range h {
		if values != nil && !slices.Contains([]string{"Host", "Transfer-Encoding", "Trailer"}, name) {
			left[name] = values
		}
	}
	return left
}

// compareEmitted compares a request with what went on of it: the same method,
// target in origin form, host, body and framing, and the fields that pass, in
// their order, byte for byte. With ownRules the tenant says what passes besides.
func compareEmitted(t *testing.T, sent, emitted *ownRequest, ownRules bool) {
	t.Helper()
	line, got := sent.originForm(), string(emitted.Method)+" "+string(emitted.Target)
	if line != got || string(sent.Host) != string(emitted.Host) {
		t.Errorf("%q of %q went on as %q of %q", line, sent.Host, got, emitted.Host)
	}
	if sent.body != emitted.body || sent.Framing != emitted.Framing || sent.ContentLength != emitted.ContentLength {
		t.Errorf("a body of %d bytes (%v) went on as %d bytes (%v)", len(sent.body), sent.Framing, len(emitted.body), emitted.Framing)
	}
	if sent.ExpectContinue != emitted.ExpectContinue || sent.WebSocket != emitted.WebSocket || sent.AcceptsTrailers != emitted.AcceptsTrailers {
		t.Errorf("what it expects went on otherwise: %+v, %+v", sent.RequestHead, emitted.RequestHead)
	}
	ours := slices.IndexFunc(emitted.Fields, func(f http1.Field) bool { return string(f.Name) == "X-Forwarded-For" })
	if ours < 1 {
		t.Fatal("what we say ourselves did not go on")
	}
	passes := func(f http1.Field) bool {
		return !sent.Nominated(f.Name) && (requestFate(f.Name) == kept || ownRules && requestFate(f.Name) == passable && grouped(emitted.Fields).Get(string(f.Name)) != "")
	}
	for _, list := range []struct {
		what      string
		sent, got []http1.Field
	}{
		{"fields", sent.Fields, emitted.Fields[1:ours]},
		{"trailers", sent.trailers, emitted.trailers},
	} {
		want := slices.DeleteFunc(slices.Clone(list.sent), func(f http1.Field) bool { return !passes(f) })
		if diff := cmp.Diff(linesOf(want), linesOf(list.got)); diff != "" {
			t.Errorf("%s (-want +went on):\n%s", list.what, diff)
		}
	}
}

// originForm is the request line to send to an origin (RFC 9112 section 3.2.1).
func (r *ownRequest) originForm() string {
	line := string(r.Method) + " " + string(r.Path)
	if r.HasQuery {
		line += "?" + string(r.Query)
	}
	return line
}

func linesOf(fields []http1.Field) (all []string) {
	for _, f := range fields {
		all = append(all, fmt.Sprintf("%s: %s", f.Name, f.Value))
	}
	return all
}

// TestCorpusAnswersReadAsByNetHTTP does the same with answers that are relayed:
// both parsers understand what came and what goes out as the same answer.
func TestCorpusAnswersReadAsByNetHTTP(t *testing.T) {
	for _, archive := range readCorpus(t, "answers") {
		for _, c := range archive.cases {
			if c.ending.ours || c.ending.how == "cut" || c.ending.how == "tunnel" || len(c.answers) != 1 {
				continue
			}
			t.Run(archive.class+"/"+c.name, func(t *testing.T) {
				method, _, _ := strings.Cut(c.in, " ")
				came, standardCame := readOwnAnswer(t, c.answers[0].text, method), readStandardAnswer(t, c.answers[0].text, method)
				out, standardOut := readOwnAnswer(t, c.ending.out, method), readStandardAnswer(t, c.ending.out, method)
				for _, other := range []twinMessage{standardCame, out, standardOut} {
					if came.Start != other.Start || came.Body != other.Body {
						t.Errorf("%q %q is %q %q elsewhere", came.Start, came.Body, other.Start, other.Body)
					}
				}
				if diff := cmp.Diff(standardCame, came); diff != "" {
					t.Errorf("what came: -net/http +internal/http1:\n%s", diff)
				}
				if diff := cmp.Diff(standardOut, out); diff != "" {
					t.Errorf("what goes out: -net/http +internal/http1:\n%s", diff)
				}
			})
		}
	}
}

func readOwnAnswer(t *testing.T, text, method string) twinMessage {
	t.Helper()
	var h http1.ResponseHead
	rest := []byte(text)
	for h.Status < 200 {
		n, err := h.Parse(rest, []byte(method), wideLimits())
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		rest = rest[n:]
	}
	m := twinMessage{Start: fmt.Sprint(h.Status), Fields: withoutFraming(grouped(h.Fields)), Trailers: map[string][]string{}}
	switch h.Framing {
	case http1.ContentLength:
		m.Body = string(rest[:h.ContentLength])
	case http1.UntilClose:
		m.Body = string(rest)
	case http1.Chunked:
		body, trailers, _, err := decodeChunks(rest)
		if err != nil {
			t.Fatalf("%q: %v", rest, err)
		}
		m.Body, m.Trailers = body, seenByBoth(grouped(trailers))
	}
	return m
}

func readStandardAnswer(t *testing.T, text, method string) twinMessage {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(text))
	for {
		r, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			t.Fatalf("net/http: %q: %v", text, err)
		}
		if r.StatusCode < 200 {
			continue
		}
		body, err := io.ReadAll(r.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("net/http: %q: %v", text, err)
		}
		return twinMessage{Start: fmt.Sprint(r.StatusCode), Fields: withoutFraming(r.Header), Body: string(body), Trailers: seenByBoth(r.Trailer)}
	}
}

// withoutFraming leaves out besides what net/http takes out of answers.
func withoutFraming(h http.Header) map[string][]string {
	left := seenByBoth(h)
	delete(left, "Content-Length")
	delete(left, "Connection")
	return left
}

package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHTTP2Bodies: bodies of any length and framing arrive as they were sent,
// in both directions at once.
func TestHTTP2Bodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Echo-Length") != "" {
			rw.Header().Set("Content-Length", r.Header.Get("X-Echo-Length"))
		}
		_ = http.NewResponseController(rw).EnableFullDuplex()
		_, _ = io.Copy(rw, r.Body)
	})
	c := w.client("direct", "127.0.0.1", true)
	for _, length := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 3 << 20} {
		for _, known := range []bool{true, false} {
			sent := bytes.Repeat([]byte("gatehouse "), length/10+1)[:length]
			var body io.Reader = bytes.NewReader(sent)
			if !known {
				body = io.MultiReader(body)
			}
			request, _ := http.NewRequest(http.MethodPost, "https://a.example/", body)
			if known {
				request.Header.Set("X-Echo-Length", fmt.Sprint(length))
			}
			response, err := c.Do(request)
			if err != nil {
				t.Fatalf("%d bytes, length known %v: %v", length, known, err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes, length known %v: %d come back, %v", length, known, len(got), err)
			}
			if known && response.ContentLength != int64(length) {
				t.Errorf("%d bytes: content-length %d", length, response.ContentLength)
			}
		}
	}
}

// TestHTTP2Extras: interim answers and trailers pass, and fields stay what they
// are.
func TestHTTP2Extras(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := rw.Header()
		h.Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		h.Del("Link")
		h["Content-Type"] = nil
		h.Set("Trailer", "X-Sum")
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		_, _ = io.WriteString(rw, "<html>")
		h.Set("X-Sum", r.Trailer.Get("X-Check")+r.Header.Get("Cookie"))
	})
	request, _ := http.NewRequest(http.MethodPost, "https://a.example/", io.MultiReader(strings.NewReader("abc")))
	request.Trailer = http.Header{"X-Check": {"42"}}
	request.Header.Set("Te", "trailers")
	request.AddCookie(&http.Cookie{Name: "c", Value: "3"})
	request.AddCookie(&http.Cookie{Name: "d", Value: "4"})
	var hints []string
	request = request.WithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(status, h.Get("Link")))
			return nil
		},
	}))
	response, err := w.client("direct", "127.0.0.1", true).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "<html>" {
		t.Errorf("the body is %q, %v", body, err)
	}
	if fmt.Sprint(hints) != "[103</style.css>; rel=preload]" {
		t.Errorf("interim answers: %q", hints)
	}
	if got := response.Header["Set-Cookie"]; fmt.Sprint(got) != "[a=1 b=2]" {
		t.Errorf("Set-Cookie: %q", got)
	}
	if got, ok := response.Header["Content-Type"]; ok {
		t.Errorf("a content-type was guessed: %q", got)
	}
	if got := response.Trailer.Get("X-Sum"); got != "42c=3; d=4" {
		t.Errorf("the trailer is %q", got)
	}
	if response.Header.Get("Link") != "" {
		t.Error("a field of the interim answer is in the final one")
	}
}

// TestHTTP2TrailersAreNotFields: a field of the head that the backend announces
// as a trailer, too, does not come again behind the body.
func TestHTTP2TrailersAreNotFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		c, buffered, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = buffered.WriteString("HTTP/1.1 200 OK\r\nTrailer: ETag, X-Sum\r\nETag: early\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: late\r\n\r\n")
		_ = buffered.Flush()
	})
	response, err := w.client("direct", "127.0.0.1", true).Get("https://a.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); string(body) != "hi" || err != nil {
		t.Errorf("the body is %q, %v", body, err)
	}
	if got := response.Header.Get("ETag") + " " + response.Trailer.Get("ETag") + " " + response.Trailer.Get("X-Sum"); got != "early  late" {
		t.Errorf("field, trailer of the same name, other trailer: %q", got)
	}
}

// TestHTTP2Abort: a stream that its client resets ends the backend request.
func TestHTTP2Abort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	arrived, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	f := w.frames("127.0.0.1", "a.example")
	f.get(1, "/")
	<-arrived
	began := time.Now()
	f.must(f.WriteRSTStream(1, http2.ErrCodeCancel))
	<-ended
	if took := time.Since(began); took > inTime {
		t.Errorf("the backend request ended after %v", took)
	}
	w.answerWith(nil)
	f.get(3, "/")
	if got := f.answer(3); got != "200 acme for 127.0.0.1" {
		t.Errorf("the next stream gets %s", got)
	}
	eventually(t, "the abort is logged", func() bool {
		return strings.Contains(w.log.String(), `"status":499,"reason":"client_gone"`)
	})
}

// TestHTTP2ResetDuringHints: a stream may be reset while its interim answer is
// on the way. The library reads the header map then, and a map that is written
// meanwhile would end the process; the race detector sees it.
func TestHTTP2ResetDuringHints(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		for range 10 {
			rw.WriteHeader(http.StatusEarlyHints)
		}
	})
	f := w.frames("127.0.0.1", "a.example")
	for i := range uint32(100) {
		stream := 2*i + 1
		_ = f.conn.SetReadDeadline(time.Now().Add(patience))
		f.get(stream, "/")
		for { // until the first hint
			frame, err := f.ReadFrame()
			f.must(err)
			if _, ok := frame.(*http2.MetaHeadersFrame); ok && frame.Header().StreamID == stream {
				break
			}
		}
		f.must(f.WriteRSTStream(stream, http2.ErrCodeCancel))
	}
	w.answerWith(nil)
	f.get(1001, "/")
	_ = f.conn.SetReadDeadline(time.Now().Add(patience))
	if got := f.answer(1001); got != "200 acme for 127.0.0.1" {
		t.Errorf("the next stream gets %s", got)
	}
}

// TestHTTP2CutAnswerLooksCut: an answer whose backend dies is reset, not ended.
func TestHTTP2CutAnswerLooksCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, "half")
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	f := w.frames("127.0.0.1", "a.example")
	f.get(1, "/")
	if got := f.answer(1); got != "200 RST INTERNAL_ERROR" {
		t.Errorf("the client sees %s, want a reset", got)
	}
}

// TestHTTP2SlowReader: a client that takes nothing of its answer is cut off,
// also while the window is 0, and its neighbours on the connection are not.
func TestHTTP2SlowReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {idle: 1s}}\n"
	w.apply()
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			_, _ = io.WriteString(rw, "small")
			return
		}
		_, _ = rw.Write(make([]byte, 1<<20))
	})
	f := w.frames("127.0.0.1", "a.example")
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 10}))
	f.get(1, "/large")
	began := time.Now()
	got := f.answer(1)
	if took := time.Since(began); !strings.Contains(got, "RST") || took < time.Second {
		t.Errorf("after %v the client sees %.80s, want a reset after a second", took, got)
	}
	f.get(3, "/small")
	if got := f.answer(3); got != "200 small" {
		t.Errorf("the next stream gets %s", got)
	}
}

// TestHTTP2DeafClient: a client that opens its windows and then reads nothing
// from its socket holds neither streams nor backends.
func TestHTTP2DeafClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {idle: 1s}}\n"
	w.apply()
	const streams = 5
	ended := make(chan struct{}, streams)
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := rw.Write(make([]byte, 64<<10)); err != nil {
				ended <- struct{}{}
				return
			}
		}
	})
	f := w.frames("127.0.0.1", "a.example")
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	f.must(f.WriteWindowUpdate(0, 1<<30))
	for i := range uint32(streams) {
		f.get(2*i+1, "/large")
	}
	for range streams {
		select {
		case <-ended:
		case <-time.After(patience):
			t.Fatal("a backend still answers")
		}
	}
	eventually(t, "the connection is closed", func() bool { return w.server.Stats().Tenants["acme"].Connections == 0 })
}

// TestHTTP2SlowBody: a body that stops coming is answered with 408.
func TestHTTP2SlowBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {idle: 1s}}\n"
	w.apply()
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	var clients []*framed
	for _, length := range []string{"10", "200000"} { // held back, streamed
		f := w.frames("127.0.0.1", "a.example")
		f.ask(1, false, ":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/", "content-length", length)
		f.must(f.WriteData(1, false, []byte("abc")))
		clients = append(clients, f)
	}
	for i, f := range clients {
		if got := f.answer(1); !strings.HasPrefix(got, "408") {
			t.Errorf("case %d: the client sees %.80s, want 408", i, got)
		}
	}
}

// TestHTTP2IdleSaysGoAway: an idle connection is told before it is closed, so
// that its client knows what is safe to send again.
func TestHTTP2IdleSaysGoAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {keep_alive: 1s}}\n"
	w.apply()
	f := w.frames("127.0.0.1", "a.example")
	f.get(1, "/")
	_ = f.answer(1)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("no GOAWAY before %v", err)
		}
		if goAway, ok := frame.(*http2.GoAwayFrame); ok {
			if goAway.ErrCode != http2.ErrCodeNo || goAway.LastStreamID != 1 {
				t.Errorf("%v", goAway)
			}
			return
		}
	}
}

// TestHTTP2StreamsOfSeveralHosts: one connection carries requests for all hosts
// of its tenant.
func TestHTTP2StreamsOfSeveralHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	f := w.frames("127.0.0.1", "a.example")
	for i, authority := range []string{"a.example", "x.apps.example", "A.example:8443", "b.example"} {
		stream := uint32(2*i + 1)
		f.ask(stream, true, ":method", "GET", ":scheme", "https", ":authority", authority, ":path", "/")
		want := "200 acme"
		if authority == "b.example" {
			want = "421"
		}
		if got := f.answer(stream); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %.60s, want %s", authority, got, want)
		}
	}
}

// TestHTTP2Revocation: a stream whose route no longer admits its client is
// reset; the others and the connection go on.
func TestHTTP2RouteRevocation(t *testing.T) {
	t.Parallel()
	const text = `
hosts: [a.example]
access: {allow: [127.0.0.1, 127.0.0.2]}
backends: ["{backend}"]
routes:
  /admin/: {access: {allow: [127.0.0.1, 127.0.0.2]}}
`
	w := newWorld(t, map[string]string{"acme": text})
	arrived := make(chan struct{}, 2)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, "begin ")
		_ = http.NewResponseController(rw).Flush()
		arrived <- struct{}{}
		if strings.HasPrefix(r.URL.Path, "/admin/") {
			<-r.Context().Done()
		}
	})
	f := w.frames("127.0.0.2", "a.example")
	f.get(1, "/admin/x")
	<-arrived
	for { // until the answer has begun
		frame, err := f.ReadFrame()
		f.must(err)
		if _, ok := frame.(*http2.MetaHeadersFrame); ok {
			break
		}
	}
	w.set("acme", strings.Replace(text, "/admin/: {access: {allow: [127.0.0.1, 127.0.0.2]", "/admin/: {access: {allow: [127.0.0.1]", 1))
	if got := f.answer(1); got != "RST INTERNAL_ERROR" {
		t.Errorf("the revoked stream: %s, want a reset", got)
	}
	f.get(3, "/")
	if got := f.answer(3); got != "200 begin" {
		t.Errorf("another stream of the connection: %s", got)
	}
	f.get(5, "/admin/")
	if got := f.answer(5); !strings.HasPrefix(got, "403") {
		t.Errorf("a new request for the route: %.60s, want 403", got)
	}
}

// TestRapidReset: the flood of CVE-2023-44487 ends its own connection, or is
// held to the number of streams; others are served meanwhile.
func TestRapidReset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(rw, "served")
	})
	f := w.frames("127.0.0.2", "a.example")
	for i := range uint32(5000) {
		f.head.Reset()
		for _, field := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/slow"}} {
			_ = f.hpe.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		head := http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: f.head.Bytes(), EndStream: true, EndHeaders: true}
		if f.WriteHeaders(head) != nil || f.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), inTime)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://a.example/", nil)
	response, err := w.client("direct", "127.0.0.1", true).Do(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a neighbour waits for more than %v", inTime)
		}
		t.Fatal(err)
	}
	response.Body.Close()
	f.conn.Close()
	eventually(t, "nothing is left of the flood", func() bool {
		return counter(t, w.metrics, `gatehouse_requests_in_flight{tenant="acme"}`) == 0
	})
}

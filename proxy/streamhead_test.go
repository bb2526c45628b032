package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestStrictHeads: what an HTTP/1.1 backend could read in another way does not
// reach one.
func TestStrictHeads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	reached := make(chan string, 100)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Method + " " + r.RequestURI })
	usual := []string{":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"}
	with := func(fields ...string) []string {
		replaced := append([]string(nil), usual...)
		for i := 0; i < len(fields); i += 2 {
			if fields[i][0] != ':' {
				replaced = append(replaced, fields[i:i+2]...)
				continue
			}
			for j := 0; j < len(usual); j += 2 {
				if replaced[j] == fields[i] {
					replaced[j+1] = fields[i+1]
				}
			}
		}
		return replaced
	}
	many := with()
	for i := range 200 {
		many = append(many, fmt.Sprintf("x-%d", i), "1")
	}
	for _, test := range []struct {
		name   string
		fields []string
		want   string // the answer begins so
	}{
		{"method with a blank", with(":method", "GET / HTTP/1.1"), "400"},
		{"method with a tab", with(":method", "GE\tT"), "400"},
		{"method with a bracket", with(":method", "GET["), "400"},
		{"scheme http", with(":scheme", "http"), "400"},
		{"scheme of its own", with(":scheme", "gopher"), "RST PROTOCOL_ERROR"},
		{"path without a slash", with(":path", "login"), "RST PROTOCOL_ERROR"},
		{"path with a blank", with(":path", "/a b"), "400"},
		{"path with a fragment", with(":path", "/a#b"), "400"},
		{"absolute path", with(":path", "https://b.example/"), "400"},
		{"asterisk for GET", with(":path", "*"), "400"},
		{"long path", with(":path", "/"+strings.Repeat("a", 17_000)), "414"},
		{"Host that differs", with("host", "b.example"), "400"},
		{"two Hosts", with("host", "a.example", "host", "a.example"), "400"},
		{"authority that is no host", with(":authority", "a example"), "400"},
		{"authority with a list", with(":authority", "a.example,b.example"), "400"},
		{"authority with user", with(":authority", "user@a.example"), "RST PROTOCOL_ERROR"},
		{"authority of another tenant", with(":authority", "b.example"), "421"},
		{"two content-lengths", with("content-length", "0", "content-length", "0"), "400"},
		{"content-length with a sign", with("content-length", "+0"), "400"},
		{"content-length without a body", with("content-length", "5"), "400"},
		{"transfer-encoding", with("transfer-encoding", "chunked"), "400"},
		{"connection", with("connection", "close"), "400"},
		{"upgrade", with("upgrade", "websocket"), "400"},
		{"te", with("te", "gzip"), "400"},
		{"expect", with("expect", "wonders"), "417"},
		{"field with a control byte", with("x", "\x01"), "RST PROTOCOL_ERROR"},
		{"many fields", many, "431"},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "a.example:443"}, "405"},
	} {
		f := w.frames("127.0.0.1", "a.example")
		f.ask(1, true, test.fields...)
		if got := f.answer(1); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %.80s, want %s", test.name, got, test.want)
		}
		f.conn.Close()
	}
	select {
	case request := <-reached:
		t.Errorf("a backend has got %q", request)
	default:
	}
	f := w.frames("127.0.0.1", "a.example")
	f.ask(1, true, with("host", "A.example", "te", "trailers", "content-length", "0")...)
	if got := f.answer(1); got != "200" {
		t.Errorf("a request in order gets %s", got)
	}
}

// TestBodyLengthMismatch: DATA frames that do not add up to content-length are
// not passed on as if they did.
func TestBodyLengthMismatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, "read ", err)
	})
	for _, length := range []string{"5", "200000"} { // held back, streamed
		f := w.frames("127.0.0.1", "a.example")
		f.ask(1, false, ":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/", "content-length", length)
		f.must(f.WriteData(1, true, []byte("abc")))
		if got := f.answer(1); !strings.HasPrefix(got, "400") {
			t.Errorf("3 of %s bytes: %.80s, want 400", length, got)
		}
	}
}

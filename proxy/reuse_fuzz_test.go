package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzReuse has a backend say whatever to a request, and go on to serve its
// connection. The requests behind it on the client's connection, sent at once or
// one by one, must get their own answers, whatever is in the pool by then.
func FuzzReuse(f *testing.F) { fuzzReuse(f, OwnPlane) }

// FuzzReuseStandard asks the same of the other data plane.
func FuzzReuseStandard(f *testing.F) { fuzzReuse(f, StandardPlane) }

func fuzzReuse(f *testing.F, plane DataPlane) {
	for _, archive := range readCorpus(f, "answers") {
		for _, c := range archive.cases {
			if len(c.answers) > 0 && len(c.answers[0].text) < 2000 {
				f.Add([]byte(c.answers[0].text), true)
				f.Add([]byte(c.answers[0].text), false)
			}
		}
	}
	words := make(chan []byte, 1)
	g := startGateway(f, tenantWith("timeouts: {idle: 300ms, first_byte: 300ms}\n", serveConns(f, func(c net.Conn) {
		for requests := bufio.NewReader(c); sayNext(c, requests, words); {
		}
	})), setup{plane: plane})
	f.Fuzz(func(t *testing.T, said []byte, atOnce bool) {
		words <- said
		c := g.dial(t)
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		requests := []string{"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"}
		for i := range 3 {
			requests = append(requests, get11("a.example", fmt.Sprintf("/next?%d", i)))
		}
		if atOnce {
			requests = []string{strings.Join(requests, "")}
		}
		answers := bufio.NewReader(c)
		_, _ = io.WriteString(c, requests[0])
		first, err := wholeAnswer(answers, http.MethodPost)
		for i := 0; i < 3 && err == nil && !first.Close; i++ {
			if !atOnce {
				_, _ = io.WriteString(c, requests[i+1])
			}
			want := fmt.Sprintf("next %d", i)
			if next, err := wholeAnswer(answers, http.MethodGet); err != nil || bodyOf(next) != want {
				t.Fatalf("after %q the client gets %s, %v, want %s", said, summary(next), err, want)
			}
		}
	})
}

// sayNext answers one request of a connection, and reports whether that goes on:
// it ends behind words that only an end completes.
func sayNext(c net.Conn, requests *bufio.Reader, words chan []byte) bool {
	r, err := http.ReadRequest(requests)
	if err != nil {
		return false
	}
	if r.URL.Path == "/next" {
		text := "next " + r.URL.RawQuery
		_, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		return err == nil
	}
	said := <-words
	_, _ = c.Write(said)
	answer, err := wholeAnswer(bufio.NewReader(bytes.NewReader(said)), http.MethodPost)
	return err == nil && (answer.ContentLength >= 0 || len(answer.TransferEncoding) > 0)
}

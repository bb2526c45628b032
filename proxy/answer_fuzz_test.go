package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzAnswer has a backend say whatever and hang up. What reaches the client as
// a whole answer must be what another parser makes of the backend's words, and
// the next request on the client's connection must get its own answer.
func FuzzAnswer(f *testing.F) {
	scripts, err := filepath.Glob("testdata/exchange/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		said := ""
		for _, section := range archive.Files {
			if strings.HasPrefix(section.Name, "answer") {
				said += expand(string(section.Data))
			}
		}
		if said != "" && len(said) < 2000 {
			f.Add([]byte(said), false)
			f.Add([]byte(said), true)
		}
	}
	words := make(chan []byte, 1)
	g := startGateway(f, tenantWith("timeouts: {idle: 2s, first_byte: 2s}\n", serveConns(f, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		switch {
		case err != nil:
		case r.URL.Path == "/next":
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnext")
		default:
			select {
			case said := <-words:
				_, _ = c.Write(said)
			default: // a HEAD that is sent again
			}
		}
	})), setup{})
	f.Fuzz(func(t *testing.T, said []byte, head bool) {
		method := http.MethodPost
		if head {
			method = http.MethodHead
		}
		words <- said
		c := g.dial(t)
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		reader := bufio.NewReader(c)
		_, _ = io.WriteString(c, method+" /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
		got, gotErr := wholeAnswer(reader, method)
		if gotErr != nil {
			return // cut, and to be seen to be
		}
		ours := got.StatusCode == http.StatusBadGateway || got.StatusCode == http.StatusGatewayTimeout
		if want, err := wholeAnswer(bufio.NewReader(bytes.NewReader(said)), method); !ours && (err != nil || summary(want) != summary(got)) {
			t.Errorf("of %q\nthe client gets %s\nwant            %v, %v", said, summary(got), summary(want), err)
		}
		if got.Close {
			return
		}
		_, _ = io.WriteString(c, "GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if next, err := wholeAnswer(reader, http.MethodGet); err != nil || bodyOf(next) != "next" {
			t.Errorf("after %q the next request gets %v, %v", said, summary(next), err)
		}
	})
}

// wholeAnswer reads an answer past the interim ones before it.
func wholeAnswer(r *bufio.Reader, method string) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return nil, err
		}
		if answer.StatusCode/100 == 1 && answer.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body = io.NopCloser(bytes.NewReader(body))
		return answer, err
	}
}

// summary is what must not change on the way.
func summary(r *http.Response) string {
	if r == nil {
		return "nothing"
	}
	body := bodyOf(r)
	r.Body = io.NopCloser(strings.NewReader(body))
	return fmt.Sprintf("%d %q", r.StatusCode, body)
}

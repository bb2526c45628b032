package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzForward sends whatever to a gateway. All that reaches the backend must be
// requests that another parser takes, and each must say who asked as we know
// it: nothing that a client sends may pass for more than one request, or for
// our own words.
func FuzzForward(f *testing.F) { fuzzForward(f, OwnPlane) }

// FuzzForwardStandard asks the same of the other data plane.
func FuzzForwardStandard(f *testing.F) { fuzzForward(f, StandardPlane) }

func fuzzForward(f *testing.F, plane DataPlane) {
	scripts, err := filepath.Glob("testdata/exchange/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		for _, section := range archive.Files {
			if text := expand(string(section.Data)); section.Name == "client" && len(text) < 2000 {
				f.Add([]byte(text))
			}
		}
	}
	faults := make(chan error, 16)
	g := startGateway(f, tenantWith("timeouts: {idle: 1s, header: 1s, upgrade_idle: 1s}\n", serveConns(f, func(c net.Conn) {
		if err := judgeForwarded(c); err != nil {
			faults <- err
		}
	})), setup{plane: plane})
	f.Fuzz(func(t *testing.T, input []byte) {
		c := g.dial(t)
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = c.Write(input)
		_ = c.CloseWrite()
		_, err := io.Copy(io.Discard, c)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("no end comes after %q", input)
		}
		select {
		case err := <-faults:
			t.Errorf("%q: %v", input, err)
		default:
		}
	})
}

// judgeForwarded reads requests as a backend does, and answers each.
func judgeForwarded(c net.Conn) error {
	reader := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return endOr(err)
		}
		for name, want := range map[string]string{"X-Tenant": "acme", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"} {
			if got := r.Header[name]; !slices.Equal(got, []string{want}) {
				return fmt.Errorf("%s is %q at the backend", name, got)
			}
		}
		if host, _, _ := strings.Cut(strings.ToLower(r.Host), ":"); strings.TrimSuffix(host, ".") != "a.example" {
			return fmt.Errorf("the backend is asked for %q", r.Host)
		}
		if r.Header.Get("Expect") != "" {
			_, _ = io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return endOr(err)
		}
		if r.Header.Get("Upgrade") != "" {
			_, err = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
		} else {
			_, err = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
		if err != nil {
			return nil
		}
	}
}

// endOr passes what is no end of a stream.
func endOr(err error) error {
	var broken *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &broken) {
		return nil
	}
	return err
}

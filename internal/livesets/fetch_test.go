package livesets

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// served is a server of lists, with its authority in a file.
type served struct {
	url, ca string
	asker   asker
}

func serve(t *testing.T, handler http.HandlerFunc) *served {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	s := &served{url: server.URL, ca: filepath.Join(t.TempDir(), "ca.pem")}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(s.ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.asker = asker{base: filepath.Dir(s.ca), mayDial: func(netip.AddrPort) error { return nil }}
	return s
}

func (s *served) source(t *testing.T, path, more string) *ipallow.Source {
	return source(t, "{url: \""+s.url+path+"\", ca: "+s.ca+more+"}")
}

func TestFetch(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write([]byte("203.0.113.0/28\n"))
		case "/away":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/page":
			_, _ = w.Write([]byte("<html>sign in</html>"))
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("203.0.113.0/28\n"))
		case "/long":
			for line := []byte(strings.Repeat("#", 1000) + "\n"); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "/head":
			w.Header().Set("X-Long", strings.Repeat("x", 2*answerHeadBytesMax))
		default:
			http.NotFound(w, r)
		}
	})
	for path, want := range map[string]string{
		"/good": "203.0.113.0/28", "/good?token=secret": "203.0.113.0/28",
		"/away": "it answered 302 and leads elsewhere", "/page": "line 1", "/cut": "unexpected EOF",
		"/long": "more than 8388608 bytes", "/head": "header", "/none": "it answered 404",
	} {
		got, err := s.asker.ask(t.Context(), s.source(t, path, ""), "")
		text := joinPrefixes(got.prefixes)
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %q, want %q", path, text, want)
		}
	}
}

// TestFetchUnchanged: a server that knows what it sent is believed that it is the
// same.
func TestFetchUnchanged(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte("203.0.113.5\n"))
	})
	first, err := s.asker.ask(t.Context(), s.source(t, "/", ""), "")
	if err != nil || first.mark != `"v1"` {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := s.asker.ask(t.Context(), s.source(t, "/", ""), first.mark); err != nil || !again.same || again.mark != first.mark {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestFetchTrust: a server that its authority does not vouch for is not believed,
// and no plain HTTP is.
func TestFetchTrust(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("203.0.113.5\n")) })
	if got, err := s.asker.ask(t.Context(), source(t, "{url: \""+s.url+"/\"}"), ""); err == nil {
		t.Errorf("a stranger's certificate is believed: %v", got)
	}
	if err := os.WriteFile(s.ca, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.asker.ask(t.Context(), s.source(t, "/", ""), ""); err == nil || !strings.Contains(err.Error(), "has no certificate") {
		t.Errorf("a file without authorities: %v", err)
	}
}

// TestFetchWhere: addresses are judged when they are dialled; a tenant file leads
// to no address that is not public.
func TestFetchWhere(t *testing.T) {
	t.Parallel()
	reached := false
	s := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
	s.asker.mayDial = func(netip.AddrPort) error { return errors.New("it is forbidden") }
	if _, err := s.asker.ask(t.Context(), s.source(t, "/", ""), ""); err == nil || !strings.Contains(err.Error(), "it is forbidden") {
		t.Errorf("got %v", err)
	}
	s.asker.mayDial = func(netip.AddrPort) error { return nil }
	var r conf.Report
	var f written
	conf.Decode("t.yaml", []byte("sets: {live: [{url: \""+strings.Replace(s.url, "127.0.0.1", "localhost", 1)+"\"}]}\nallow: [set:live]\n"), &f, &r)
	origin := &ipallow.Origin{Owner: "acme", Confined: true}
	confined := origin.CompileSets(f.Sets, nil, &r).Compile(f.Allow, &r).Sources()[0]
	if _, err := s.asker.ask(t.Context(), confined, ""); err == nil || !strings.Contains(err.Error(), "is not public") {
		t.Errorf("a tenant's URL: %v", err)
	}
	if reached {
		t.Error("the server was reached")
	}
}

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"203.0.113.5": true, "2001:db8::1": true, "10.0.0.1": false, "172.16.0.1": false, "192.168.0.1": false, "100.64.0.1": false,
		"127.0.0.1": false, "169.254.169.254": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false,
		"::1": false, "fe80::1": false, "fd00::1": false, "ff02::1": false, "::": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// TestReadFileConfined: what a tenant file names lies in the main file's folder,
// links followed, and is a file.
func TestReadFileConfined(t *testing.T) {
	t.Parallel()
	base, outside := t.TempDir(), t.TempDir()
	for _, dir := range []string{base, outside} {
		if err := os.WriteFile(filepath.Join(dir, "list.txt"), []byte("203.0.113.5\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "list.txt"), filepath.Join(base, "link.txt")); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(base, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	a := asker{base: base}
	for name, fine := range map[string]bool{"list.txt": true, "link.txt": false, "../list.txt": false, "socket": false, ".": false, "none.txt": false} {
		s := &ipallow.Source{Kind: ipallow.FileSource, Target: name, Confined: true, Max: 10}
		if got, err := a.ask(t.Context(), s, ""); (err == nil) != fine {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := a.ask(t.Context(), &ipallow.Source{Kind: ipallow.FileSource, Target: "link.txt", Max: 10}, ""); err != nil || len(got.prefixes) != 1 {
		t.Errorf("the main file's link: %v, %v", got, err)
	}
}

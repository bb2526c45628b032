package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// transfers is a world whose acme is an app, and files to send.
type transfers struct {
	*world
	app *app
}

// newTransfers starts it with more keys in the main file, if there are any.
func newTransfers(t *testing.T, keys ...string) *transfers {
	t.Helper()
	file := make([]byte, 1<<20)
	_, _ = rand.Read(file)
	x := &transfers{world: newWorld(t), app: startApp(t, file)}
	if len(keys) > 0 {
		main, err := os.ReadFile(x.config())
		if err != nil {
			t.Fatal(err)
		}
		x.write(t, "gatehouse.yaml", string(main)+strings.Join(keys, "\n"))
	}
	x.write(t, "tenants/acme.yaml", acmeText(x.app.URL))
	x.start(t)
	return x
}

// keep writes a file for curl to send.
func (x *transfers) keep(t *testing.T, name string, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(x.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// protocols are those that curl is told to speak, and how it shows that it does.
var protocols = []struct{ flag, line string }{{"--http1.1", "HTTP/1.1"}, {"--http2", "HTTP/2"}}

// TestCurlUploads: whatever way curl sends a body, the backend gets all of it.
func TestCurlUploads(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	path := x.keep(t, "sent.bin", x.app.file)
	whole := fmt.Sprintf("sum=%s bytes=%d", digest(x.app.file), len(x.app.file))
	for _, p := range protocols {
		for _, test := range []struct {
			name  string
			args  []string
			words []string
		}{
			{"PUT", []string{"-T", path}, []string{"length=1048576"}},
			{"waits for 100", []string{"--data-binary", "@" + path, "-H", "Expect: 100-continue"}, []string{"length=1048576"}},
			{"chunks", []string{"-T", "-", "-X", "POST"}, []string{"length=-1"}},
			{"chunks that wait for 100", []string{"-T", "-", "-H", "Expect: 100-continue"}, []string{"length=-1"}},
			{"slowly", []string{"-T", path, "-H", "Expect:", "--limit-rate", "2M"}, []string{"length=1048576"}},
		} {
			t.Run(p.flag+"/"+test.name, func(t *testing.T) {
				got := x.curlWith(t, string(x.app.file), append(test.args, p.flag, x.url("acme.example", "/sum"))...)
				got.has(t, append(test.words, p.line+" 200", whole)...)
			})
		}
	}
}

// TestCurlExpect: who waits for 100 is told by the backend, once; a backend that refuses is spared the body.
func TestCurlExpect(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	path := x.keep(t, "sent.bin", x.app.file)
	args := []string{"--http1.1", "--verbose", "-H", "Expect: 100-continue", "--data-binary", "@" + path, "--write-out", "uploaded=%{size_upload}\n"}

	got := x.curl(t, clientOfAcme, append(args, x.url("acme.example", "/sum"))...)
	got.has(t, `expect="100-continue"`, "sum="+digest(x.app.file), "uploaded=1048576")
	if n := strings.Count(got.stderr, "< HTTP/1.1 100"); n != 1 {
		t.Errorf("curl was told to go on %d times, want once:\n%s", n, got.stderr)
	}
	got = x.curl(t, clientOfAcme, append(args, x.url("acme.example", "/refuse"))...)
	got.has(t, "HTTP/1.1 413", "too much for me", "uploaded=0")
	if strings.Contains(got.stderr, "< HTTP/1.1 100") {
		t.Errorf("curl was told to go on and then refused:\n%s", got.stderr)
	}
}

// TestCurlEarlyAnswer: a backend that has had enough of an upload is heard while curl still sends, be it one that stops
// in the middle or one that looks at the length alone.
func TestCurlEarlyAnswer(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	x.write(t, "tenants/acme.yaml", acmeText(x.app.URL)+fmt.Sprintf("routes: {/nginx/: {backends: [%q]}}\n", x.acme.url()))
	x.reload(t)
	path := x.keep(t, "large.bin", make([]byte, 16<<20))
	for _, p := range protocols {
		for _, test := range []struct {
			name, target, says string
			args               []string
		}{
			{"in the middle", "/refuse", "too much for me", []string{"-T", path}},
			{"in the middle of chunks", "/refuse", "too much for me", []string{"-T", "-", "-X", "POST"}},
			{"at once", "/nginx/", "nginx", []string{"-T", path}},
		} {
			t.Run(p.flag+"/"+test.name, func(t *testing.T) {
				args := append(test.args, "-H", "Expect:", p.flag, x.url("acme.example", test.target))
				got := x.curlWith(t, strings.Repeat("x", 16<<20), args...)
				got.has(t, p.line+" 413")
				if p.flag == "--http2" {
					return // curl 7.88 forgets the body now and then when its own is cancelled, with Go's server too
				}
				got.has(t, test.says)
				if got.code != 0 {
					t.Errorf("curl = %d, want 0: %s", got.code, got.stderr)
				}
			})
		}
		x.curl(t, clientOfAcme, p.flag, x.url("acme.example", "/form")).has(t, p.line+" 200")
	}
}

// TestCurlDownloads: bodies come whole, slowly too, in parts where parts were asked for, and not at all for HEAD.
func TestCurlDownloads(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	url := x.url("acme.example", "/file")
	for _, p := range protocols {
		x.curl(t, clientOfAcme, p.flag, "--head", url).has(t, p.line+" 200", "content-length: 1048576", "accept-ranges: bytes")
		for _, test := range []struct {
			name   string
			args   []string
			status string
			want   []byte
		}{
			{"at once", nil, "200", x.app.file},
			{"slowly", []string{"--limit-rate", "1M"}, "200", x.app.file},
			{"from the middle", []string{"--range", "1000-1999"}, "206", x.app.file[1000:2000]},
			{"the end", []string{"--range", "-10"}, "206", x.app.file[len(x.app.file)-10:]},
		} {
			t.Run(p.flag+"/"+test.name, func(t *testing.T) {
				to := filepath.Join(t.TempDir(), "got.bin")
				got := x.curl(t, clientOfAcme, append(test.args, p.flag, "--no-include", "--output", to, "--write-out", "status %{http_code}", url)...)
				got.has(t, "status "+test.status)
				content, err := os.ReadFile(to)
				if err != nil || digest(content) != digest(test.want) {
					t.Errorf("%d bytes came, %v; want these %d", len(content), err, len(test.want))
				}
			})
		}
		x.curl(t, clientOfAcme, p.flag, "--range", "2000000-", url).has(t, p.line+" 416", "content-range: bytes */1048576")
	}
}

// TestCurlHTTP10: an old client gets no chunks, and the end of an answer of unknown length is that of its connection.
func TestCurlHTTP10(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	path := x.keep(t, "sent.bin", x.app.file)
	got := x.curl(t, clientOfAcme, "--http1.0", x.url("acme.example", "/lines"))
	got.has(t, " 200", "connection: close", "line 0\nline 1\nline 2\n")
	got.hasNot(t, "transfer-encoding")
	got = x.curl(t, clientOfAcme, "--http1.0", "-T", path, x.url("acme.example", "/sum"))
	got.has(t, " 200", "sum="+digest(x.app.file), "length=1048576")
	x.curl(t, clientOfAcme, "--http1.0", "--head", x.url("acme.example", "/file")).has(t, " 200", "content-length: 1048576")
}

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

var entityTag = regexp.MustCompile(`(?i)etag: (W/)?("[^"]+")`)

// TestCurlCompressed: nginx's files come compressed to who takes it, in a form that others can read; what it says of
// them fits, when they are asked for again too.
func TestCurlCompressed(t *testing.T) {
	t.Parallel()
	for _, plane := range []string{"own", "standard"} {
		x := newTransfers(t, "data_plane: "+plane)
		x.write(t, "tenants/acme.yaml", acmeText(x.acme.url())+"compression: [zstd, br, gzip]\n")
		x.reload(t)
		page := pageOfRows()
		if err := os.Mkdir(filepath.Join(x.acme.dir, "files"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(x.acme.dir, "files", "page.html"), page, 0o600); err != nil {
			t.Fatal(err)
		}
		url := x.url("acme.example", "/files/page.html")
		for _, p := range protocols {
			for accept, coding := range map[string]string{"gzip, deflate, br, zstd": "zstd", "br, gzip": "br", "gzip;q=0.9, *;q=0": "gzip"} {
				t.Run(plane+"/"+p.flag+"/"+coding, func(t *testing.T) { x.fetchCoded(t, page, coding, p.flag, "-H", "Accept-Encoding: "+accept, url) })
			}
			gzip := []string{p.flag, "-H", "Accept-Encoding: gzip", url}
			head := x.curl(t, clientOfAcme, append(gzip, "--head")...)
			head.has(t, p.line+" 200", "content-encoding: gzip", "vary: accept-encoding")
			head.hasNot(t, "content-length", "accept-ranges")
			tag := entityTag.FindStringSubmatch(head.stdout)
			if tag == nil || tag[1] == "" {
				t.Fatalf("no weak ETag:\n%s", head.stdout)
			}
			again := x.curl(t, clientOfAcme, append(gzip, "-H", "If-None-Match: W/"+tag[2])...)
			again.has(t, p.line+" 304", "etag: W/"+tag[2], "vary: accept-encoding")
			part := x.curl(t, clientOfAcme, append(gzip, "--range", "100-199")...)
			part.has(t, p.line+" 206", "content-range: bytes 100-199/", string(page[100:200]))
			part.hasNot(t, "content-encoding")
			cookie := x.curl(t, clientOfAcme, append(gzip, "--head", "-H", "Cookie: a=b", "-H", "Sec-Fetch-Site: cross-site")...)
			cookie.has(t, p.line+" 200", "content-length", "vary: accept-encoding", `etag: "`)
			cookie.hasNot(t, "content-encoding")
		}
	}
}

// fetchCoded has curl decode what comes.
func (x *transfers) fetchCoded(t *testing.T, want []byte, coding string, args ...string) {
	t.Helper()
	to, head := filepath.Join(t.TempDir(), "got.html"), filepath.Join(t.TempDir(), "head")
	got := x.curl(t, clientOfAcme, append(args, "--compressed", "--no-include", "--output", to, "--dump-header", head, "--write-out", "size %{size_download}")...)
	if got.code != 0 {
		t.Errorf("curl = %d: %s", got.code, got.stderr)
	}
	content, err := os.ReadFile(to)
	if err != nil || !bytes.Equal(content, want) {
		t.Errorf("%d bytes came, %v; want %d", len(content), err, len(want))
	}
	lines, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	outcome{stdout: string(lines)}.has(t, "content-encoding: "+coding, "vary: accept-encoding", "etag: W/")
}

// pageOfRows is a page of 300 KB.
func pageOfRows() []byte {
	var page bytes.Buffer
	for i := range 6000 {
		fmt.Fprintf(&page, "<tr><td>%d</td><td>customer %x</td></tr>\n", i, i*2654435761)
	}
	return page.Bytes()
}

package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed table
var table embed.FS

// Places says where the parts of the demonstration listen.
type Places struct {
	HTTP, HTTPS  int    // ports of the gateway on 127.0.0.1
	Acme, Globex string // host:port of the tenant applications
}

// WriteTable writes the sample table into dir and returns the main file's path.
func WriteTable(dir string, p Places) (string, error) {
	values := map[string]string{
		"HTTP": strconv.Itoa(p.HTTP), "HTTPS": strconv.Itoa(p.HTTPS), "ACME": p.Acme, "GLOBEX": p.Globex,
	}
	err := fs.WalkDir(table, "table", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("table", filepath.FromSlash(name))
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := table.ReadFile(name)
		if err != nil {
			return err
		}
		expanded := os.Expand(string(text), func(key string) string { return values[key] })
		return os.WriteFile(to, []byte(expanded), 0o600)
	})
	if err != nil {
		return "", fmt.Errorf("write the sample table: %w", err)
	}
	return filepath.Join(dir, "gatehouse.yaml"), nil
}

// Line is one command to try and what it shows.
type Line struct {
	Shows   string
	Command string // whole on one line, to be run by a shell as it stands
}

// Lines returns the commands to try. caFile holds the root certificate that
// curl is to trust.
func (p Places) Lines(caFile string) []Line {
	https := func(host, from string) string {
		return fmt.Sprintf("curl --silent --show-error --include --cacert '%s' --resolve %s:%d:127.0.0.1 --interface %s https://%s:%d/",
			caFile, host, p.HTTPS, from, host, p.HTTPS)
	}
	return []Line{
		{"forwarded to acme's application", https("acme.localhost", "127.0.0.1")},
		{"redirected from plain HTTP to HTTPS", fmt.Sprintf("curl --silent --show-error --include --resolve acme.localhost:%d:127.0.0.1 http://acme.localhost:%d/", p.HTTP, p.HTTP)},
		{"refused: 127.0.0.1 is not on globex's list", https("globex.localhost", "127.0.0.1")},
		{"forwarded to the other tenant, globex, from an address on its list", https("globex.localhost", "127.0.0.2")},
	}
}

package demo

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAppShowsWhatItWasTold(t *testing.T) {
	r := httptest.NewRequest("GET", "http://acme.localhost/a<b>", nil)
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	w := httptest.NewRecorder()
	App("acme").ServeHTTP(w, r)
	page := w.Body.String()
	for _, want := range []string{"<h1>Acme</h1>", "192.0.2.7", "acme.localhost", "/a&lt;b&gt;"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestWriteTableExpandsEveryPlace(t *testing.T) {
	dir := t.TempDir()
	main, err := WriteTable(dir, Places{HTTP: 8080, HTTPS: 8443, Acme: "127.0.0.1:1", Globex: "127.0.0.1:2"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		main:                                    `"127.0.0.1:8443"`,
		filepath.Join(dir, "tenants/acme.yaml"): `"http://127.0.0.1:1"`,
		filepath.Join(dir, "tenants/globex.yaml"): `"http://127.0.0.1:2"`,
	} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) || strings.Contains(string(text), "${") {
			t.Errorf("%s lacks %s or holds a place not filled in:\n%s", name, want, text)
		}
	}
}

func TestLinesStandOnOneLineEach(t *testing.T) {
	lines := Places{HTTP: 8080, HTTPS: 8443}.Lines("/tmp/ca.pem")
	if len(lines) != 4 {
		t.Fatalf("Lines() = %d lines, want 4", len(lines))
	}
	for _, l := range lines {
		if strings.Contains(l.Command, "\n") || !strings.Contains(l.Command, "--resolve") {
			t.Errorf("command %q is not one whole line with --resolve", l.Command)
		}
	}
}

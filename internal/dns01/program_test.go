package dns01

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script returns a provider that runs a shell script. LOG stands for a file
// beside it.
func script(t *testing.T, text string, args string) (p *Provider, log string) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dns record") // nothing splits at the space
	log = filepath.Join(dir, "log")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+strings.ReplaceAll(text, "LOG", log)), 0o700); err != nil {
		t.Fatal(err)
	}
	ps := mustCompile(t, `p: {zones: [acme.example], exec: {program: "`+path+`", args: [`+args+`]}}`, nil)
	return ps.List()[0], log
}

func TestProgram(t *testing.T) {
	t.Setenv("GATEHOUSE_SECRET", "correct-horse")
	p, log := script(t, `for a in "$@"; do echo "<$a>"; done >>LOG; env | grep -v '^\(_\|PWD\|SHLVL\|OLDPWD\)=' >>LOG; pwd >>LOG; cat >>LOG`, `"--zone", "a b; rm -rf $HOME"`)
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", "v$(id)")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", "-v")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	want := "<--zone>\n<a b; rm -rf $HOME>\n<present>\n<_acme-challenge.pa.acme.example.>\n<v$(id)>\nPATH=" + programPath + "\n/\n" +
		"<--zone>\n<a b; rm -rf $HOME>\n<cleanup>\n<_acme-challenge.pa.acme.example.>\n<-v>\nPATH=" + programPath + "\n/\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProgramFails(t *testing.T) {
	tests := []struct{ title, text, want string }{
		{"exit code", "echo zone not found >&2; exit 3", `dns record present: exit status 3; it wrote "zone not found"`},
		{"silent", "exit 1", "dns record present: exit status 1"},
		{"killed", "kill -9 $$", "signal: killed"},
		{"long", "yes garbage | head -c 1000000; exit 1", "it wrote \"garbage garbage"},
		{"odd", `printf '\033[2J\000\377'; exit 1`, "it wrote \"[2J"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			p, _ := script(t, tt.text, "")
			_, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 600 || strings.ContainsAny(err.Error(), "\x00\x1b\n") {
				t.Errorf("%q; want %q", err, tt.want)
			}
		})
	}
	ps := mustCompile(t, `p: {zones: [acme.example], exec: {program: /no/such/program}}`, nil)
	if _, err := ps.List()[0].AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

// A program that does not end is ended, with all that it started.
func TestProgramTime(t *testing.T) {
	p, log := script(t, "echo begun; (sleep 1000; echo late >LOG) & sleep 1000", "")
	const timeMax = 3 * time.Second // in which any machine runs the echo
	p.writer.(*program).timeMax = timeMax
	begun := time.Now()
	_, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v"))
	if err == nil || !strings.Contains(err.Error(), `was ended after 3s: context deadline exceeded; it wrote "begun"`) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begun) - timeMax; took >= programEndMax {
		t.Errorf("its end took %s: its children live on", took)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("a child lived on")
	}
	p.writer.(*program).timeMax = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.AppendRecords(ctx, "acme.example.", txt("x", "v")); err == nil {
		t.Error("the end of the context is no end")
	}
}

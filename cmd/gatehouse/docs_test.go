package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs runs what README and docs show: every block marked sh, in the order
// of its page, as somebody who reads on types it. Blocks marked yaml whose first
// line is a comment with a file's name are written to that file first; the
// example tree is at hand in configs.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, page := range append(pages, "../../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) { ran += runPage(t, page) })
	}
	if ran < 4 {
		t.Errorf("%d blocks were run; the pages show more", ran)
	}
}

// runPage runs the blocks of one page in a folder of its own, and returns how
// many there are.
func runPage(t *testing.T, page string) (ran int) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "configs"), os.DirFS("../../configs")); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocksOf(string(text)) {
		switch b.language {
		case "yaml":
			writeBlock(t, dir, b.text)
		case "sh":
			ran++
			cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", b.text)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GORACE="+raceOptions)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s shows\n%sand that ends with %v:\n%s", page, b.text, err, out)
			}
		}
	}
	return ran
}

// block is a fenced block of Markdown.
type block struct{ language, text string }

func blocksOf(markdown string) []block {
	var blocks []block
	open := false
	for line := range strings.Lines(markdown) {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			blocks = append(blocks, block{language: strings.TrimSpace(language)})
			open = true
		case fence:
			open = false
		case open:
			blocks[len(blocks)-1].text += line
		}
	}
	return blocks
}

// writeBlock writes a block to the file that its first line names, if it does.
func writeBlock(t *testing.T, dir, text string) {
	t.Helper()
	first, _, _ := strings.Cut(text, "\n")
	name, ok := strings.CutPrefix(first, "# ")
	if !ok || strings.Contains(name, " ") || filepath.Ext(name) != ".yaml" {
		return
	}
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp: every command says what it does and shows an example, and the
// examples are command lines that it takes.
func TestHelp(t *testing.T) {
	root := newRoot()
	seen := 0
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		seen++
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks a description or an example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			wantCommandLine(t, strings.TrimSpace(line))
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	if seen < 11 {
		t.Errorf("%d commands were seen", seen)
	}
}

// wantCommandLine wants a line to name a command, with flags that it has and as
// many arguments as it takes.
func wantCommandLine(t *testing.T, line string) {
	t.Helper()
	words, _, _ := strings.Cut(line, " > ")
	args, ok := strings.CutPrefix(strings.ReplaceAll(words, "'refuse ip_not_allowed'", "verdict"), "gatehouse ")
	if !ok {
		t.Errorf("example %q does not begin with the program", line)
		return
	}
	c, rest, err := newRoot().Find(strings.Fields(args))
	if err == nil && !c.HasParent() {
		t.Errorf("example %q names no command", line)
	}
	if err == nil {
		err = c.ParseFlags(rest)
	}
	if err == nil {
		err = c.ValidateArgs(c.Flags().Args())
	}
	if err != nil {
		t.Errorf("example %q: %v", line, err)
	}
}

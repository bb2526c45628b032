package dns01

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	// programTimeMax bounds a run: a program that waits until its record is
	// everywhere takes a minute or two.
	programTimeMax = 3 * time.Minute

	// programEndMax is waited for a killed program's children to let go of its
	// output.
	programEndMax = 2 * time.Second

	// outputBytesMax bounds what is kept of a program's output.
	outputBytesMax = 4 << 10

	// programPath is all that a program's environment holds.
	programPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// program runs an executable: ARGUMENTS present|cleanup NAME VALUE. There is no
// shell, nothing on its input, and nothing but PATH in its environment.
type program struct {
	path    string
	args    []string
	timeMax time.Duration
}

func (p *program) add(ctx context.Context, r record) error { return p.run(ctx, "present", r) }

func (p *program) remove(ctx context.Context, r record) error { return p.run(ctx, "cleanup", r) }

func (p *program) run(ctx context.Context, action string, r record) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeMax)
	defer cancel()
	var out bounded
	c := exec.CommandContext(ctx, p.path, append(slices.Clone(p.args), action, r.name, r.value)...)
	c.Env = []string{"PATH=" + programPath}
	c.Dir = "/"
	c.Stdout, c.Stderr = &out, &out
	// A group of its own: what the program has started ends with it.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = programEndMax
	err := c.Run()
	name := filepath.Base(p.path)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s was ended after %s: %w%s", name, action, p.timeMax, ctx.Err(), out.quoted())
	}
	return fmt.Errorf("%s %s: %w%s", name, action, err, out.quoted())
}

// bounded keeps the first bytes that are written to it. Only one goroutine
// writes: both outputs of a command are the same writer.
type bounded struct{ text []byte }

func (b *bounded) Write(p []byte) (int, error) {
	room := outputBytesMax - len(b.text)
	b.text = append(b.text, p[:min(len(p), room)]...)
	return len(p), nil
}

func (b *bounded) quoted() string {
	if len(b.text) == 0 {
		return ""
	}
	return fmt.Sprintf("; it wrote %q", clip(string(b.text)))
}

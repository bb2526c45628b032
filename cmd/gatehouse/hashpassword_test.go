package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// newTerminal returns both ends of a terminal: what a user types into and looks
// at, and what a program has.
func newTerminal(t *testing.T) (user, program *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { user.Close() })
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return user, program
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	settings, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return settings.Lflag&unix.ECHO != 0
}

// TestPasswordIsNotShown: what is typed behind a prompt is not shown, and what is
// typed later is.
func TestPasswordIsNotShown(t *testing.T) {
	user, program := newTerminal(t)
	prompts, said := io.Pipe()
	cmd := hashPasswordCommand()
	cmd.SetIn(program)
	cmd.SetErr(said)
	var out strings.Builder
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"--cost", "10"})
	ended := make(chan error, 1)
	go func() {
		err := cmd.ExecuteContext(t.Context())
		said.Close()
		ended <- err
	}()
	read := bufio.NewReader(prompts)
	for range 2 {
		if _, err := read.ReadString(':'); err != nil {
			t.Fatal(err)
		}
		if echoes(t, program) {
			t.Error("the terminal shows what is typed")
		}
		io.WriteString(user, "correct horse\n")
	}
	io.Copy(io.Discard, read)
	if err := <-ended; err != nil || !strings.HasPrefix(out.String(), "$2a$10$") {
		t.Errorf("%v, %q", err, out.String())
	}
	if !echoes(t, program) {
		t.Error("the terminal shows nothing any more")
	}
}

// TestPasswordInterrupted: a terminal that is given up shows again what is typed.
func TestPasswordInterrupted(t *testing.T) {
	user, program := newTerminal(t)
	ctx, interrupt := context.WithCancel(t.Context())
	cmd := hashPasswordCommand()
	cmd.SetIn(program)
	prompts, said := io.Pipe()
	cmd.SetErr(said)
	cmd.SetArgs([]string{}) // not the arguments of the test
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	if _, err := bufio.NewReader(prompts).ReadString(':'); err != nil {
		t.Fatal(err)
	}
	prompts.Close()
	interrupt()
	if err := <-ended; err == nil {
		t.Error("it is done although it was interrupted")
	}
	if !echoes(t, program) {
		t.Error("the terminal shows nothing any more")
	}
	io.WriteString(user, "\n") // ends the read
}

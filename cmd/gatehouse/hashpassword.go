package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gatehouse/internal/password"
)

func hashPasswordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hash-password",
		Short: "Hash a password for basic_auth",
		Long: "Hash a password for basic_auth. It is read twice from a terminal, without showing\n" +
			"it, or else one line of standard input; it cannot be an argument, which other users\n" +
			"of the machine would see. The hash goes below users, or behind NAME: in a users_file.",
		Example: "  gatehouse hash-password\n  gatehouse hash-password --algorithm argon2id",
		Args:    exactly(0, "no arguments; the password is read from the terminal or from standard input"),
	}
	algorithms := []string{"bcrypt", "argon2id"}
	flags := cmd.Flags()
	algorithm := flags.String("algorithm", "bcrypt", "bcrypt or argon2id")
	cost := flags.Int("cost", password.BcryptCostUsual, fmt.Sprintf("of bcrypt, %d to %d; each step doubles the time of a login", password.BcryptCostLeast, password.BcryptCostMax))
	asJSON := jsonFlag(cmd)
	completeWords(cmd, "algorithm", algorithms)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *algorithm == "" {
			*algorithm = algorithms[0]
		}
		switch err := oneOf("algorithm", *algorithm, algorithms); {
		case err != nil:
			return err
		case *algorithm != "bcrypt" && flags.Changed("cost"):
			return usagef("--cost is of bcrypt alone")
		case *cost < password.BcryptCostLeast || *cost > password.BcryptCostMax:
			return usagef("--cost is %d; expected %d to %d", *cost, password.BcryptCostLeast, password.BcryptCostMax)
		}
		secret, err := readPassword(cmd)
		if err != nil {
			return err
		}
		hash, err := hashOf(secret, *algorithm, *cost)
		switch {
		case err != nil:
			return err
		case *asJSON:
			return printJSON(cmd.OutOrStdout(), map[string]string{"hash": hash})
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), hash)
		return err
	}
	return cmd
}

func hashOf(secret []byte, algorithm string, cost int) (string, error) {
	if algorithm == "argon2id" {
		return password.Argon2id(secret)
	}
	return password.Bcrypt(secret, cost)
}

// readPassword reads a password from the terminal, or a line from whatever else
// standard input is.
func readPassword(cmd *cobra.Command) ([]byte, error) {
	in, ok := cmd.InOrStdin().(*os.File)
	if ok {
		if shown, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS); err == nil {
			return askPassword(cmd, in, shown)
		}
	}
	return readLine(cmd.InOrStdin())
}

// askPassword asks twice, while the terminal shows nothing of what is typed. It
// leaves the terminal as it was, however it ends.
func askPassword(cmd *cobra.Command, terminal *os.File, shown *unix.Termios) ([]byte, error) {
	hidden := *shown
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, &hidden); err != nil {
		return nil, fmt.Errorf("hide what is typed: %w", err)
	}
	defer unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, shown)
	var typed [2][]byte
	for i, prompt := range []string{"password: ", "once more: "} {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		line, err := readTyped(cmd.Context(), terminal)
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return nil, err
		}
		typed[i] = line
	}
	if !bytes.Equal(typed[0], typed[1]) {
		return nil, errors.New("the two differ; nothing is hashed")
	}
	return typed[0], nil
}

// readTyped reads a line of a terminal, which hands out whole ones, until ctx
// ends: then the process does, and the read with it.
func readTyped(ctx context.Context, terminal *os.File) ([]byte, error) {
	type typed struct {
		line []byte
		err  error
	}
	done := make(chan typed, 1)
	go func() {
		line, err := readLine(terminalLine{terminal})
		done <- typed{line, err}
	}()
	select {
	case t := <-done:
		return t.line, t.err
	case <-ctx.Done():
		return nil, errors.New("interrupted; nothing is hashed")
	}
}

// terminalLine is what one line of a terminal holds: it ends behind the first
// line that is read.
type terminalLine struct{ terminal *os.File }

func (t terminalLine) Read(p []byte) (int, error) {
	n, err := t.terminal.Read(p)
	if err == nil && n > 0 && p[n-1] == '\n' {
		err = io.EOF
	}
	return n, err
}

// readLine reads the one line that there is, without its end.
func readLine(r io.Reader) ([]byte, error) {
	const ending = len("\r\n")
	text, err := io.ReadAll(io.LimitReader(r, int64(password.BytesMax+ending+1)))
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	line, more, _ := bytes.Cut(text, []byte("\n"))
	if len(more) > 0 {
		return nil, errors.New("standard input has more than one line; expected the password alone")
	}
	return bytes.TrimSuffix(line, []byte("\r")), nil
}

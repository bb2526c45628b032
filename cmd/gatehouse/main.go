// Command gatehouse is a TLS-terminating reverse proxy and tenant gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // roots for images without any
	_ "time/tzdata"                            // zones for images without any
)

// The exit codes of every command.
const (
	exitFine    = 0
	exitNotFine = 1 // the thing that was asked about is not fine
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var said notFine
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &said):
		return exitNotFine // the command has said why
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "gatehouse: %v\n    hint: %s\n", err, usageHint(cmd))
		return exitUsage
	}
	fmt.Fprintf(stderr, "gatehouse: %v\n", err)
	return exitNotFine
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "TLS-terminating reverse proxy and tenant gateway",
		Long: "A TLS-terminating reverse proxy and tenant gateway: it lets in only the addresses\n" +
			"that a tenant's access list names, and forwards each tenant's traffic to that\n" +
			"tenant's own backends.",
		Example:                    "  gatehouse demo\n  gatehouse check -c gatehouse.yaml\n  gatehouse run -c gatehouse.yaml",
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
	}
	root.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("a command is missing")
		}
		if near := root.SuggestionsFor(args[0]); len(near) > 0 {
			return usagef("there is no command %q; did you mean %q?", args[0], near[0])
		}
		return usagef("there is no command %q", args[0])
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(
		runCommand(), demoCommand(), checkCommand(), explainCommand(), whyCommand(), reloadCommand(),
		blockCommand(), unblockCommand(), suspendCommand(), resumeCommand(), maintenanceCommand(), drainCommand(),
		statusCommand(), certsCommand(), acmeCommand(), keysCommand(), hashPasswordCommand(), schemaCommand(), versionCommand(),
	)
	return root
}

// notFine ends a command with exit code 1 after it has said everything itself.
type notFine struct{}

func (notFine) Error() string { return "not fine" }

// usageError is a command line that makes no sense.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// usageHint says where to read how a command line is written: about the command,
// if there is one.
func usageHint(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return "gatehouse --help lists the commands, gatehouse COMMAND --help shows one"
	}
	return cmd.CommandPath() + " --help shows how it is written, with an example"
}

// exactly wants n arguments and says what they are.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// atLeastOne wants one argument or more and says what they are.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usagef("%s takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// oneOf wants the value of a flag to be one of words, or empty.
func oneOf(flag, value string, words []string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return usagef("--%s is %q; expected one of %s", flag, value, strings.Join(words, ", "))
}

// completeWords has shells complete the value of a flag.
func completeWords(cmd *cobra.Command, flag string, words []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag exists
}

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

// statusClientGone is what stands for a client that left before its answer.
const statusClientGone = 499

func whyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why REF",
		Short: "Say what became of a request, gate by gate, and what its backends did",
		Long: "Say what became of the request with a ref: the X-Request-Id of its answer, which error pages\n" +
			"and the access log show. The running process remembers the last refusals and the last other\n" +
			"requests of each tenant, in memory alone. Exit code 1 if it does not know the ref.",
		Example: "  gatehouse why 5pcpze4cduwtnb75\n  gatehouse why 5pcpze4cduwtnb75 --json",
		Args:    exactly(1, "one ref"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		why, err := client.Why(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), why)
		}
		printWhy(cmd.OutOrStdout(), why)
		return nil
	}
	return cmd
}

func printWhy(w io.Writer, y admin.Why) {
	cut := ""
	if y.PathCut {
		cut = "… (longer; judged as far as it stands here)"
	}
	fmt.Fprintf(w, "%s %s%s from %s\n", orDash(y.Method), orDash(y.URL), cut, orDash(y.Client))
	fmt.Fprintf(w, "at %s on %s over %s", y.At.Format(time.RFC3339Nano), y.Listener, y.Protocol)
	if y.Tenant != "" {
		fmt.Fprintf(w, ", tenant %s", y.Tenant)
	}
	fmt.Fprintln(w)
	printSteps(w, y.Steps)
	if y.VerdictNow != "" {
		fmt.Fprintf(w, "note: these gates are those of generation %d, whose verdict is %s; generation %d judged the request, and otherwise\n",
			y.GenerationNow, y.VerdictNow, y.Generation)
	}
	answer := "the client got no answer"
	if y.Status != 0 && y.Status != statusClientGone {
		answer = fmt.Sprintf("the client was answered %d", y.Status)
	}
	if y.Cut {
		answer += ", which was cut before its end"
	}
	fmt.Fprintf(w, "verdict: %s: %s\n", y.Verdict, answer)
}

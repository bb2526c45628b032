package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
	"gatehouse/internal/gateway"
)

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain URL --from IP",
		Short: "Say what would happen to a request, gate by gate, and which line decides",
		Long: "Judge a request by the very functions that judge traffic, from the files or,\n" +
			"with --live, by the table of the running process. Nothing is sent anywhere.",
		Example: "  gatehouse explain https://pa.acme.example/login --from 203.0.113.5\n" +
			"  gatehouse explain https://pa.acme.example/admin --from 203.0.113.5 --assert 'refuse ip_not_allowed'",
		Args: exactly(1, "one URL"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	flags := cmd.Flags()
	from := flags.String("from", "", "address of the client (required)")
	sni := flags.String("sni", "", "name in the handshake (default: the URL's host)")
	method := flags.String("method", "GET", "method of the request")
	user := flags.String("user", "", "who asks, with the right password, where there is basic_auth, or signed in, where there is forward_auth (default: nobody)")
	live := flags.Bool("live", false, "ask the running process instead of the files")
	assert := flags.String("assert", "", "exit with 1 unless the verdict is this one, such as forward or 'refuse ip_not_allowed'")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *from == "" {
			return usagef("explain needs --from IP: who is allowed depends on it")
		}
		if to.stateDir != "" && !*live {
			return usagef("--state-dir goes with --live: without it explain reads files, and asks no process")
		}
		query := admin.ExplainQuery{URL: args[0], From: *from, SNI: *sni, Method: *method, User: *user}
		if err := gateway.CheckQuery(query); err != nil {
			return usageError{err}
		}
		explanation, err := explain(cmd, to, query, *live)
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), explanation)
		} else {
			printExplanation(cmd.OutOrStdout(), query, explanation)
		}
		if err == nil && *assert != "" && *assert != explanation.Verdict {
			fmt.Fprintf(cmd.ErrOrStderr(), "gatehouse: the verdict is %q, not %q\n", explanation.Verdict, *assert)
			return notFine{}
		}
		return err
	}
	return cmd
}

func explain(cmd *cobra.Command, to *target, query admin.ExplainQuery, live bool) (admin.Explanation, error) {
	if !live {
		explanation, broken, err := gateway.Explain(configPath(to.config), query)
		for _, q := range broken {
			fmt.Fprintf(cmd.ErrOrStderr(), "gatehouse: %s has mistakes, which gatehouse check names; the verdict leaves tenant %s out\n", q.File, q.Tenant)
		}
		return explanation, err
	}
	client, err := clientOf(to)
	if err != nil {
		return admin.Explanation{}, err
	}
	return client.Explain(cmd.Context(), query)
}

func printExplanation(w io.Writer, q admin.ExplainQuery, e admin.Explanation) {
	fmt.Fprintf(w, "%s %s from %s\n", q.Method, q.URL, q.From)
	printSteps(w, e.Steps)
	fmt.Fprintf(w, "verdict: %s%s\n", e.Verdict, consequence(e))
}

func printSteps(w io.Writer, steps []admin.Step) {
	for _, s := range steps {
		line := fmt.Sprintf("  %-12s %-7s %s", s.Gate, s.Outcome, s.Text)
		if s.Position != "" {
			line += " (" + s.Position + ")"
		}
		fmt.Fprintln(w, line)
	}
}

// consequence says what the client would see.
func consequence(e admin.Explanation) string {
	switch {
	case e.Verdict == "forward":
		return fmt.Sprintf(": tenant %s, route %s, to %s", e.Tenant, e.Route, strings.Join(e.Backends, " or "))
	case e.Location != "":
		return " to " + e.Location
	case e.Status != 0:
		return fmt.Sprintf(": the client is answered %d", e.Status)
	}
	return ": the client gets no answer over HTTP"
}

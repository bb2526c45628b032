package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func acmeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "acme",
		Short: "Look at what certificates are obtained with",
		Long: "Look at what certificates are obtained with by ACME: accounts with authorities, the\n" +
			"order budget, and what stands in the way of a host.",
		Example: "  gatehouse acme account\n  gatehouse acme budget\n  gatehouse acme preflight pa.acme.example",
		Args:    exactly(0, "one of the commands account, budget, preflight"),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return usagef("%s takes one of the commands account, budget, preflight", cmd.CommandPath())
	}
	cmd.AddCommand(acmeAccountCommand(), acmeBudgetCommand(), acmePreflightCommand())
	return cmd
}

func acmeAccountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "account",
		Short:   "Show the accounts with authorities",
		Long:    "Show the accounts with the authorities of the main file, with the external account (EAB)\nthat each is bound to. Keys are shown by the digest of their public half.",
		Example: "  gatehouse acme account\n  gatehouse acme account roll-key letsencrypt",
		Args:    exactly(0, "no arguments, or the command roll-key"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		accounts, err := client.Accounts(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), accounts)
		}
		if len(accounts) == 0 {
			return errors.New("the main file says nothing of acme; tls.certificates: {acme: {email: ADDRESS}} does")
		}
		printAccounts(cmd.OutOrStdout(), accounts)
		return nil
	}
	cmd.AddCommand(acmeRollKeyCommand())
	return cmd
}

func printAccounts(w io.Writer, accounts []admin.AccountStatus) {
	for i, a := range accounts {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s\n", a.CA)
		for _, line := range [][2]string{
			{"directory", a.Directory},
			{"account", a.URL},
			{"email", a.Email},
			{"external account", a.Binding},
			{"terms agreed to", a.Terms},
			{"key sha256", a.Key},
			{"registered", instant(a.Registered)},
			{"key rolled over", instant(a.Rolled)},
			{"rolling over to", a.RollingTo},
		} {
			value := line[1]
			if line[0] == "account" && value == "" {
				value = "none yet; it is registered with the first order"
			}
			if value != "" && value != "-" {
				fmt.Fprintf(w, "  %-17s %s\n", line[0], value)
			}
		}
	}
}

func acmeRollKeyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "roll-key CA",
		Short: "Give the account with an authority a new key",
		Long: "Give the account with an authority, named as in the main file, a new key (RFC 8555\n" +
			"section 7.3.5). Both keys are stored before the authority is asked, so that nothing\n" +
			"is lost if it is interrupted; the next order finishes it.",
		Example: "  gatehouse acme account roll-key letsencrypt",
		Args:    exactly(1, "the authority, as the main file names it"),
	}
	to := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		if err := client.RollAccountKey(cmd.Context(), args[0]); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "the account with %s has a new key\n", args[0])
		return nil
	}
	return cmd
}

func acmeBudgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "budget",
		Short:   "Show what may still be ordered from each authority",
		Long:    "Show how many orders may still be placed with each authority at once, when the next\none may be, how many hosts wait, and whether the authority works.",
		Example: "  gatehouse acme budget",
		Args:    exactly(0, "no arguments"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		budgets, err := client.Budgets(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), budgets)
		}
		return printBudgets(cmd.OutOrStdout(), budgets, time.Now())
	}
	return cmd
}

func printBudgets(w io.Writer, budgets []admin.BudgetStatus, now time.Time) error {
	t := newTable(w, "AUTHORITY", "ORDERS LEFT", "OF", "NEXT", "QUEUED", "STATE")
	for _, b := range budgets {
		next, state := "now", "works"
		if b.Next.After(now) {
			next = "in " + roughly(b.Next.Sub(now))
		}
		if b.Down.After(now) {
			state = "not asked for " + roughly(b.Down.Sub(now)) + ": " + b.Why
		}
		fmt.Fprintf(t, "%s\t%d\t%d in %s\t%s\t%d\t%s\n", b.CA, b.Left, b.Of, b.Per, next, b.Queued, state)
	}
	return t.Flush()
}

func acmePreflightCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preflight HOST",
		Short: "Look at what stands in the way of a certificate for a host",
		Long: "Have the running process look at a host as it does before an order: its addresses, CAA,\n" +
			"the way to us, and the authority. It spends nothing of any budget.\n" +
			"Exit code 1 if something stands in the way.",
		Example: "  gatehouse acme preflight pa.acme.example",
		Args:    exactly(1, "the host"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	completeHosts(cmd, to)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		report, err := client.Preflight(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), report)
		} else {
			printPreflight(cmd.OutOrStdout(), report)
		}
		if err == nil && !report.Fine {
			return notFine{}
		}
		return err
	}
	return cmd
}

func printPreflight(w io.Writer, r admin.PreflightReport) {
	for _, s := range r.Steps {
		mark := "fine"
		if !s.Fine {
			mark = "NOT FINE"
		}
		fmt.Fprintf(w, "%-10s %-9s %s\n", s.Name, mark, s.Text)
		for _, record := range s.Records {
			fmt.Fprintf(w, "%-10s %-9s to set: %s\n", "", "", record)
		}
	}
	switch {
	case r.Fine:
		fmt.Fprintf(w, "\n%s: nothing stands in the way of an order at %s, by %s\n", r.Host, r.CA, strings.Join(r.Challenges, " or "))
	case r.Unsure:
		fmt.Fprintf(w, "\n%s: not known: %s\n", r.Host, r.Detail)
	default:
		fmt.Fprintf(w, "\n%s: %s: %s\n", r.Host, r.State, r.Detail)
	}
}

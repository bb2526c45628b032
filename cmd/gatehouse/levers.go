package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
	"gatehouse/internal/gateway"
)

func blockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "block [PREFIX --for TIME --why TEXT]",
		Short: "Refuse a network everywhere for a while, at once; alone: list what is blocked so",
		Long: "Refuse an address or network everywhere, before anything else, and cut what it has open\n" +
			"within a second. It ends by itself, outlives restarts, and needs no file that is right.\n" +
			"For longer than a while, write the network below block of the main file. Without a\n" +
			"network: list what is blocked by command.",
		Example: "  gatehouse block 203.0.113.0/24 --for 24h --why password-guessing\n  gatehouse block",
		Args:    cobra.MaximumNArgs(1),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	length := cmd.Flags().String("for", "", "how long, such as 24h or 7d (required)")
	why := cmd.Flags().String("why", "", "reason, for whoever finds it (required)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return pull(cmd, to, *asJSON, admin.LeverOrder{Lever: admin.Block, Of: args[0], For: *length, Why: *why})
		}
		return listLevers(cmd, to, *asJSON, admin.Block)
	}
	return cmd
}

// listLevers prints the orders of one kind.
func listLevers(cmd *cobra.Command, to *target, asJSON bool, of admin.Lever) error {
	client, err := clientOf(to)
	if err != nil {
		return err
	}
	list, err := client.Levers(cmd.Context())
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(l admin.LeverStatus) bool { return l.Lever != of })
	if asJSON {
		return printJSON(cmd.OutOrStdout(), list)
	}
	if len(list) == 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "nothing is %s by command\n", past(of))
		return nil
	}
	return printLevers(cmd.OutOrStdout(), list)
}

func unblockCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "unblock PREFIX",
		Short:   "Take back a block by command",
		Long:    "Take back what gatehouse block has ordered. What the files block stays so.",
		Example: "  gatehouse unblock 203.0.113.0/24",
		Args:    exactly(1, "the network as it was blocked"),
	}
	return lever(cmd, func(args []string) admin.LeverOrder { return admin.LeverOrder{Lever: admin.Unblock, Of: args[0]} })
}

func suspendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "suspend TENANT --why TEXT",
		Short: "Stop serving a tenant, at once",
		Long: "Answer every request to a tenant with 503 and cut what is open to it within a second,\n" +
			"WebSockets included, until gatehouse resume. It outlives restarts, and needs no file that\n" +
			"is right.",
		Example: "  gatehouse suspend acme --why ticket-4711",
		Args:    exactly(1, "the tenant"),
	}
	why := cmd.Flags().String("why", "", "reason, for whoever finds it (required)")
	return lever(cmd, func(args []string) admin.LeverOrder {
		return admin.LeverOrder{Lever: admin.Suspend, Of: args[0], Why: *why}
	})
}

func resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "resume TENANT",
		Short:   "Serve a suspended tenant again",
		Long:    "Take back gatehouse suspend.",
		Example: "  gatehouse resume acme",
		Args:    exactly(1, "the tenant"),
	}
	return lever(cmd, func(args []string) admin.LeverOrder { return admin.LeverOrder{Lever: admin.Resume, Of: args[0]} })
}

func maintenanceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "maintenance TENANT on|off",
		Short: "Close a tenant for maintenance, or open it again",
		Long: "Answer new requests to a tenant with 503 and a page; what is open goes on. Page and bypass\n" +
			"are those of the first entry of maintenance where one is written. Hosts and routes with\n" +
			"maintenance: [] stay open. off takes back what on has ordered, and no window of the files.",
		Example: "  gatehouse maintenance acme on --for 2h\n  gatehouse maintenance acme off",
		Args:    tenantAndSwitch,
	}
	length := cmd.Flags().String("for", "", "how long (default: until it is taken back)")
	return lever(cmd, func(args []string) admin.LeverOrder {
		return admin.LeverOrder{Lever: admin.Lever("maintenance " + args[1]), Of: args[0], For: *length}
	})
}

// tenantAndSwitch wants a tenant, and on or off.
func tenantAndSwitch(cmd *cobra.Command, args []string) error {
	if err := exactly(2, "the tenant, and on or off")(cmd, args); err != nil {
		return err
	}
	if args[1] != "on" && args[1] != "off" {
		return usagef("%s: %q is neither on nor off", cmd.CommandPath(), args[1])
	}
	return nil
}

// lever completes a command that gives one order.
func lever(cmd *cobra.Command, order func(args []string) admin.LeverOrder) *cobra.Command {
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return pull(cmd, to, *asJSON, order(args)) }
	return cmd
}

// pull gives an order and says what became of it. One that a restart would
// forget is not fine.
func pull(cmd *cobra.Command, to *target, asJSON bool, o admin.LeverOrder) error {
	_, done, err := give(cmd, to, o)
	if err != nil {
		return err
	}
	return report(cmd, asJSON, done)
}

// give gives an order.
func give(cmd *cobra.Command, to *target, o admin.LeverOrder) (client *admin.Client, done admin.LeverDone, err error) {
	if err := gateway.CheckOrder(o); err != nil {
		return nil, done, usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
	}
	if client, err = clientOf(to); err != nil {
		return nil, done, err
	}
	done, err = client.Pull(cmd.Context(), o)
	return client, done, err
}

// report says what became of an order.
func report(cmd *cobra.Command, asJSON bool, done admin.LeverDone) (err error) {
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), done)
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s%s, in force as generation %d%s\n",
			done.Order.Of, past(done.Order.Lever), untilOf(done.Until), done.Generation, inProgress(done))
	}
	for _, note := range done.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "gatehouse: %s\n", note)
	}
	if err == nil && done.NotKept != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "gatehouse: it is not kept, and a restart would forget it: %s\n", done.NotKept)
		return notFine{}
	}
	return err
}

// inProgress says what a drain waits for.
func inProgress(done admin.LeverDone) string {
	if done.Order.Lever != admin.Drain || done.InFlight == 0 {
		return ""
	}
	return "; " + plural(done.InFlight, "request") + " in progress"
}

// past says what a lever has done.
func past(l admin.Lever) string {
	switch l {
	case admin.Block:
		return "blocked"
	case admin.Unblock:
		return "no longer blocked by command"
	case admin.Suspend:
		return "suspended"
	case admin.Resume:
		return "resumed"
	case admin.MaintenanceOn:
		return "in maintenance"
	case admin.Drain:
		return "drained"
	case admin.Undrain:
		return "no longer drained by command"
	}
	return "no longer in maintenance by command"
}

func untilOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " until " + t.Format(time.RFC3339)
}

// printLevers shows what operators have ordered.
func printLevers(w io.Writer, list []admin.LeverStatus) error {
	if len(list) == 0 {
		return nil
	}
	table := newTable(w, "ORDERED", "OF", "BY", "AT", "UNTIL", "WHY")
	for _, l := range list {
		until := "taken back"
		if !l.Until.IsZero() {
			until = l.Until.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", past(l.Lever), l.Of, l.By, l.At.Format(time.RFC3339), until, orDash(l.Why))
	}
	return table.Flush()
}

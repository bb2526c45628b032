package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

const (
	// drainLook is how often --wait asks how much is in progress.
	drainLook = 500 * time.Millisecond
	// drainTell is how often it says so while that is not nothing.
	drainTell = 5 * time.Second
)

func drainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain [TENANT[/BACKEND]]",
		Short: "Take a backend or a tenant out of rotation; alone: list what is drained so",
		Long: "Send a backend no new requests, and let those in progress finish; others of its pools take\n" +
			"over. BACKEND is its host:port. Of a tenant: answer new requests with 503 and let finish\n" +
			"what is in progress. It outlives reloads and restarts until --undo. Alone: list what is\n" +
			"drained by command.",
		Example: "  gatehouse drain acme/10.4.1.10:8080 --why new-kernel --wait\n" +
			"  gatehouse drain acme/10.4.1.10:8080 --undo\n  gatehouse drain acme --for 30m",
		Args: cobra.MaximumNArgs(1),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	flags := cmd.Flags()
	wait := flags.Bool("wait", false, "return when nothing is in progress any more")
	undo := flags.Bool("undo", false, "take it back")
	length := flags.String("for", "", "how long (default: until it is taken back)")
	why := flags.String("why", "", "reason, for whoever finds it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && (*wait || *undo):
			return usagef("%s takes TENANT or TENANT/BACKEND", cmd.CommandPath())
		case len(args) == 0:
			return listLevers(cmd, to, *asJSON, admin.Drain)
		case *undo && (*wait || *length != "" || *why != ""):
			return usagef("%s --undo goes with no other flag", cmd.CommandPath())
		case *undo:
			return pull(cmd, to, *asJSON, admin.LeverOrder{Lever: admin.Undrain, Of: args[0]})
		}
		o := admin.LeverOrder{Lever: admin.Drain, Of: args[0], For: *length, Why: *why}
		if *wait {
			return drainAndWait(cmd, to, *asJSON, o)
		}
		return pull(cmd, to, *asJSON, o)
	}
	return cmd
}

// drainAndWait gives the order and returns when nothing is in progress.
func drainAndWait(cmd *cobra.Command, to *target, asJSON bool, o admin.LeverOrder) error {
	client, done, err := give(cmd, to, o)
	if err != nil {
		return err
	}
	if asJSON {
		if err := waitDrained(cmd.Context(), client, o.Of, cmd.ErrOrStderr()); err != nil {
			return err
		}
		done.InFlight = 0
		return report(cmd, asJSON, done)
	}
	kept := report(cmd, asJSON, done)
	if err := waitDrained(cmd.Context(), client, o.Of, cmd.OutOrStdout()); err != nil {
		return err
	}
	return kept
}

// waitDrained returns when nothing is in progress, and says now and then how much
// is.
func waitDrained(ctx context.Context, client *admin.Client, of string, w io.Writer) error {
	look := time.NewTicker(drainLook)
	defer look.Stop()
	told := time.Now()
	for {
		progress, err := client.DrainProgress(ctx, of)
		switch now := time.Now(); {
		case ctx.Err() != nil:
			return fmt.Errorf("%s stays drained; the wait was ended", of)
		case err != nil:
			return fmt.Errorf("%s was drained; the wait ended: %w", of, err)
		case progress.InFlight == 0:
			fmt.Fprintf(w, "%s: nothing is in progress\n", of)
			return nil
		case now.Sub(told) >= drainTell:
			fmt.Fprintf(w, "%s: %s in progress\n", of, plural(progress.InFlight, "request"))
			told = now
		}
		select {
		case <-look.C:
		case <-ctx.Done():
		}
	}
}

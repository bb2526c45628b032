package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [TENANT]",
		Short: "Show how the running process is, or one tenant of it",
		Long: "Show how the running process is. Exit code 1 if it is not ready to take traffic. Of a tenant:\n" +
			"every backend, and every limit with how near it is.",
		Example: "  gatehouse status\n  gatehouse status --json\n  gatehouse status acme",
		Args:    cobra.MaximumNArgs(1),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		status, err := client.Status(cmd.Context())
		if err != nil {
			return err
		}
		if len(args) > 0 {
			return oneTenant(cmd.OutOrStdout(), *asJSON, status, args[0])
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), status)
		} else {
			err = printStatus(cmd.OutOrStdout(), status)
		}
		if err == nil && !status.Ready {
			return notFine{}
		}
		return err
	}
	return cmd
}

func printStatus(w io.Writer, s admin.Status) error {
	ready := "ready"
	if !s.Ready {
		ready = "not ready: " + s.NotReady
	}
	fmt.Fprintf(w, "gatehouse %s, %s\n", s.Version, ready)
	fmt.Fprintf(w, "generation %d of %s, running since %s\nkeys %s\n\n", s.Generation, s.Config, s.Started.Format(time.RFC3339), s.Keys)
	listeners := newTable(w, "LISTENER", "KIND", "CLIENT ADDRESS")
	for _, l := range s.Listeners {
		fmt.Fprintf(listeners, "%s\t%s\t%s\n", l.Address, l.Kind, l.ClientIP)
	}
	if err := listeners.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	tenants := newTable(w, "TENANT", "STATE", "HOSTS", "BACKENDS", "CONNECTIONS", "IN FLIGHT")
	for _, t := range s.Tenants {
		fmt.Fprintf(tenants, "%s\t%s\t%s\t%s\t%d\t%d\n", t.ID, t.State, some(t.Hosts), upOf(&t), t.Connections, t.InFlight)
	}
	if err := tenants.Flush(); err != nil {
		return err
	}
	if err := printPools(w, s.Tenants); err != nil {
		return err
	}
	if err := printCanaries(w, s.Tenants); err != nil {
		return err
	}
	if err := printNames(w, s.Names, time.Now()); err != nil {
		return err
	}
	fmt.Fprintln(w)
	printLimits(w, s.Listeners, s.Tenants)
	printMeans(w, s.Means, s.Tenants)
	fmt.Fprintln(w)
	if len(s.Levers) > 0 {
		if err := printLevers(w, s.Levers); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	if err := printSets(w, s.Sets, time.Now()); err != nil {
		return err
	}
	printSummary(w, s.Certificates)
	printQuarantine(w, s.Quarantined)
	printRefused(w, s.LastReload, s.Generation)
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}

// printRefused says that the files are not those that are served, since they were
// refused as a whole. Orders have made other generations since, perhaps.
func printRefused(w io.Writer, last *admin.ReloadResult, generation uint64) {
	if last == nil || last.Refused == "" {
		return
	}
	fmt.Fprintf(w, "not applied: the files as they were read at %s (%s): %s; generation %d runs on; gatehouse check says more\n",
		last.At.Format(time.RFC3339), last.Actor, last.Refused, generation)
}

// printSummary counts certificates by state and names those that need somebody.
func printSummary(w io.Writer, s admin.CertificateSummary) {
	var counts []string
	for _, state := range admin.CertificateStates() {
		if n := s.States[state]; n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, state))
		}
	}
	slices.Reverse(counts)
	if len(counts) > 0 {
		fmt.Fprintf(w, "certificates: %s\n", strings.Join(counts, ", "))
	}
	for _, c := range s.Needs {
		why := c.Detail
		for _, more := range []string{c.LastError, c.Record} {
			if why == "" {
				why = more
			}
		}
		if why == "" && !c.NotAfter.IsZero() {
			why = "until " + instant(c.NotAfter)
		}
		fmt.Fprintf(w, "%s: %s: %s\n", c.State, some(c.Names), orDash(why))
	}
	if s.More > 0 {
		fmt.Fprintf(w, "and %d more; gatehouse certs has them all\n", s.More)
	}
}

// newTable begins a table whose columns align once it is flushed.
func newTable(w io.Writer, columns ...string) *tabwriter.Writer {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(columns, "\t"))
	return t
}

// some lists the first names and counts the rest: a table is read, not searched.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func reloadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the running process read its files again, and report",
		Long: "Have the running process read its files again, wait for the outcome and report it.\n" +
			"Exit code 1 if the reload was refused or a tenant is quarantined.",
		Example: "  gatehouse reload\n  gatehouse reload --force",
		Args:    exactly(0, "no arguments"),
	}
	config, asJSON := configFlag(cmd), jsonFlag(cmd)
	force := cmd.Flags().Bool("force", false, "apply it even if many tenants would go")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		socket, err := socketOf(*config)
		if err != nil {
			return err
		}
		result, err := admin.NewClient(socket).Reload(cmd.Context(), *force)
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), result)
		} else {
			printReload(cmd, result)
		}
		if err == nil && !result.Fine() {
			return notFine{}
		}
		return err
	}
	return cmd
}

func printReload(cmd *cobra.Command, r admin.ReloadResult) {
	printFindings(cmd.ErrOrStderr(), r.Findings)
	w := cmd.OutOrStdout()
	if !r.Applied {
		fmt.Fprintf(cmd.ErrOrStderr(), "not applied: %s; generation %d runs on\n", r.Refused, r.Generation)
		return
	}
	fmt.Fprintf(w, "applied generation %d in %.1f ms: %d added, %d changed, %d removed\n",
		r.Generation, r.TookMillis, len(r.Added), len(r.Changed), len(r.Removed))
	for _, group := range []struct {
		word    string
		tenants []string
	}{{"added", r.Added}, {"changed", r.Changed}, {"removed", r.Removed}} {
		if len(group.tenants) > 0 {
			fmt.Fprintf(w, "  %-8s %s\n", group.word, strings.Join(group.tenants, ", "))
		}
	}
	printQuarantine(cmd.ErrOrStderr(), r.Quarantined)
	for _, note := range r.Notes {
		fmt.Fprintln(w, "note:", note)
	}
}

func printQuarantine(w io.Writer, quarantined []admin.Quarantine) {
	for _, q := range quarantined {
		runs := "is not served"
		if q.Served {
			runs = "runs on its last good text"
		}
		fmt.Fprintf(w, "quarantined: tenant %s %s until %s is mended\n", q.Tenant, runs, q.File)
	}
}

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show how the running process is",
		Long:    "Show how the running process is. Exit code 1 if it is not ready to take traffic.",
		Example: "  gatehouse status\n  gatehouse status --json",
		Args:    exactly(0, "no arguments"),
	}
	config, asJSON := configFlag(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		socket, err := socketOf(*config)
		if err != nil {
			return err
		}
		status, err := admin.NewClient(socket).Status(cmd.Context())
		if err != nil {
			return err
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
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LISTENER\tKIND\tCLIENT ADDRESS")
	for _, l := range s.Listeners {
		fmt.Fprintf(t, "%s\t%s\t%s\n", l.Address, l.Kind, l.ClientIP)
	}
	fmt.Fprintln(t, "\t\t\nTENANT\tSTATE\tHOSTS\tBACKENDS\tCONNECTIONS\tIN FLIGHT")
	for _, tenant := range s.Tenants {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\n", tenant.ID, tenant.State, some(tenant.Hosts), len(tenant.Backends), tenant.Connections, tenant.InFlight)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(s.Quarantined) > 0 {
		fmt.Fprintln(w)
	}
	printQuarantine(w, s.Quarantined)
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note:", note)
	}
	return nil
}

// some lists the first names and counts the rest: a table is read, not searched.
func some(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func certsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "certs",
		Short:   "Show the certificates that clients are shown",
		Example: "  gatehouse certs\n  gatehouse certs ca > root.pem",
		Args:    exactly(0, "no arguments, or the command ca"),
	}
	config, asJSON := configFlag(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		socket, err := socketOf(*config)
		if err != nil {
			return err
		}
		status, err := admin.NewClient(socket).Status(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), status.Certificates)
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAMES\tSTATE\tUNTIL\tTENANT\tSOURCE")
		for _, c := range status.Certificates {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", some(c.Names), c.State, c.NotAfter.Format(time.RFC3339), c.Tenant, c.Source)
		}
		return t.Flush()
	}
	cmd.AddCommand(certsCACommand())
	return cmd
}

func certsCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ca",
		Short:   "Print the root certificate of the internal CA, for clients to trust",
		Example: "  gatehouse certs ca > root.pem",
		Args:    exactly(0, "no arguments"),
	}
	config := configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		socket, err := socketOf(*config)
		if err != nil {
			return err
		}
		pem, err := admin.NewClient(socket).RootPEM(cmd.Context())
		if err == nil && len(pem) == 0 {
			err = errors.New("no host uses the internal CA; tls.certificates: {internal: true} does")
		}
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(pem)
		return err
	}
	return cmd
}

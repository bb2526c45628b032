package main

import (
	"fmt"
	"io"
	"strings"

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
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	force := cmd.Flags().Bool("force", false, "apply it even if many tenants would go")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		result, err := client.Reload(cmd.Context(), *force)
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
	if r.Unchanged {
		fmt.Fprintf(w, "nothing changed; generation %d runs on\n", r.Generation)
	} else {
		fmt.Fprintf(w, "applied generation %d in %.1f ms: %d added, %d changed, %d removed\n",
			r.Generation, r.TookMillis, len(r.Added), len(r.Changed), len(r.Removed))
	}
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

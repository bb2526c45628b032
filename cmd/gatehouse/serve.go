package main

import (
	"github.com/spf13/cobra"

	"gatehouse/internal/gateway"
)

func runCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:        "run",
		SuggestFor: []string{"serve", "start"},
		Short:      "Serve",
		Long: "Serve the routing table. The files are read again on SIGHUP, when one changes, and\n" +
			"on gatehouse reload. SIGTERM drains and exits with 0.",
		Example: "  gatehouse run -c /etc/gatehouse/gatehouse.yaml",
		Args:    exactly(0, "no arguments; the main file goes after -c"),
	}
	config := configFlag(cmd)
	strict := cmd.Flags().Bool("strict", false, "do not start while a tenant's file is broken, or those of the last run are missing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		outliveReaders()
		log := newEventLog(cmd.ErrOrStderr())
		return log.close(gateway.Run(cmd.Context(), gateway.Options{
			Config:     configPath(*config),
			Strict:     *strict,
			Version:    version,
			Log:        log.Logger,
			LogDropped: log.lines.Dropped,
			Stdout:     cmd.OutOrStdout(),
		}))
	}
	return cmd
}

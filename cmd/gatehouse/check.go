package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatehouse/internal/gateway"
)

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:        "check",
		SuggestFor: []string{"validate", "lint", "test", "configtest"},
		Short:      "Find every mistake in the routing table, without touching anything",
		Long: "Read the main file and every tenant's file, report all mistakes with their\n" +
			"position, and judge the expect: cases. It needs no root, no network and no\n" +
			"private key, and writes nothing. Exit code 1 if there are mistakes.",
		Example: "  gatehouse check -c gatehouse.yaml\n  gatehouse check --json",
		Args:    exactly(0, "no arguments; the main file goes after -c"),
	}
	config, asJSON := configFlag(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		result, err := gateway.Check(configPath(*config))
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), result)
		} else {
			printFindings(cmd.ErrOrStderr(), result.Findings)
			printCheck(cmd, result)
		}
		if err == nil && !result.Fine {
			return notFine{}
		}
		return err
	}
	return cmd
}

func printCheck(cmd *cobra.Command, result gateway.CheckResult) {
	counted := fmt.Sprintf("%s, %s, %s", plural(result.Tenants, "tenant"), plural(result.Hosts, "host"), plural(result.Expected, "expect case"))
	if result.Fine {
		fmt.Fprintf(cmd.OutOrStdout(), "%s: fine: %s\n", result.File, counted)
		return
	}
	if result.Omitted > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s more that are not listed\n", result.File, plural(result.Omitted, "finding"))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s to mend\n", result.File, plural(result.Faults, "mistake"))
}

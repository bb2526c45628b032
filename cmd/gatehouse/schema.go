package main

import (
	"github.com/spf13/cobra"

	"gatehouse/internal/gateway"
)

func schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the main file or of a tenant's file",
		Long:  "Print the JSON Schema of the main file, or with --tenant of a tenant's file.\nEditors that know it complete keys and mark mistakes while you type.",
		Example: "  gatehouse schema > gatehouse.schema.json\n" +
			"  gatehouse schema --tenant > tenant.schema.json",
		Args: exactly(0, "no arguments"),
	}
	tenant := cmd.Flags().Bool("tenant", false, "the schema of a tenant's file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		schema, err := gateway.Schema(*tenant)
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(schema)
		return err
	}
	return cmd
}

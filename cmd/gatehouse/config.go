package main

import (
	"os"

	"github.com/spf13/cobra"
)

const (
	systemConfig = "/etc/gatehouse/gatehouse.yaml"
	localConfig  = "gatehouse.yaml"
)

// configFlag adds -c, --config to a command that reads the routing table.
func configFlag(cmd *cobra.Command) *string {
	path := new(string)
	configVar(cmd, path)
	return path
}

func configVar(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "main file (default "+systemConfig+", else ./"+localConfig+")")
}

// configPath returns the main file: the one asked for, or where it usually is.
func configPath(flag string) string {
	if flag != "" {
		return flag
	}
	if _, err := os.Stat(systemConfig); err == nil {
		return systemConfig
	}
	return localConfig
}

// jsonFlag adds --json to a command that prints data.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

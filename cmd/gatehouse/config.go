package main

import (
	"os"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
	"gatehouse/internal/gateway"
)

const (
	systemConfig = "/etc/gatehouse/gatehouse.yaml"
	localConfig  = "gatehouse.yaml"
)

// configFlag adds -c, --config to a command that reads the routing table.
func configFlag(cmd *cobra.Command) *string {
	return cmd.Flags().StringP("config", "c", "", "main file (default "+systemConfig+", else ./"+localConfig+")")
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

// socketOf returns the command socket of the gateway that runs on a main file.
func socketOf(flag string) (string, error) { return gateway.SocketPath(configPath(flag)) }

// clientOf speaks to the gateway that runs on a main file.
func clientOf(flag string) (*admin.Client, error) {
	socket, err := socketOf(flag)
	if err != nil {
		return nil, err
	}
	return admin.NewClient(socket), nil
}

// jsonFlag adds --json to a command that prints data.
func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

package main

import (
	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
	"gatehouse/internal/gateway"
)

// target is the running process that a command speaks to.
type target struct{ config, stateDir string }

// targetFlags adds -c, --config and --state-dir to a command that speaks to the
// running process.
func targetFlags(cmd *cobra.Command) *target {
	t := new(target)
	configVar(cmd, &t.config)
	cmd.Flags().StringVar(&t.stateDir, "state-dir", "", "state folder of the running process (default: what the main file says, which is not read with this)")
	_ = cmd.MarkFlagDirname("state-dir") // the flag exists
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		// A variable that is not set must not have another process obey.
		if t.stateDir == "" && cmd.Flags().Changed("state-dir") {
			return usagef("--state-dir is empty; expected a folder, such as /var/lib/gatehouse")
		}
		return nil
	}
	return t
}

// clientOf speaks to the process that is meant: that on a state folder, whatever
// became of its main file, or the one that runs on a main file.
func clientOf(t *target) (*admin.Client, error) {
	if t.stateDir != "" {
		return admin.NewClient(gateway.SocketIn(t.stateDir)), nil
	}
	socket, err := gateway.SocketPath(configPath(t.config))
	if err != nil {
		return nil, err
	}
	return admin.NewClient(socket), nil
}

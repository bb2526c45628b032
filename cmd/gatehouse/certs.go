package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func certsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "certs",
		Short:   "Show the certificates that clients are shown",
		Long:    "Show the certificates that clients are shown, with their state and their end.",
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
		t := newTable(cmd.OutOrStdout(), "NAMES", "STATE", "UNTIL", "TENANT", "SOURCE")
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
		Long:    "Print the root certificate of the internal CA as PEM, for clients to trust.",
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

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/demo"
	"gatehouse/internal/gateway"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Start the whole gateway with two sample tenants, and print what to try",
		Long: "Start the whole gateway on high ports of this machine, with two embedded tenant\n" +
			"applications and certificates of its own CA, and print curl lines to try. All of\n" +
			"it lives in a temporary folder and goes with Ctrl-C.",
		Example: "  gatehouse demo",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
}

func runDemo(ctx context.Context, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gatehouse-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	var places demo.Places
	for tenant, place := range map[string]*string{"acme": &places.Acme, "globex": &places.Globex} {
		stop, address, err := serveApp(tenant)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer stop()
		*place = address
	}
	if places.HTTP, err = freePort(8080); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if places.HTTPS, err = freePort(8443); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	config, err := demo.WriteTable(dir, places)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return gateway.Run(ctx, gateway.Options{
		Config:  config,
		Version: version,
		Log:     slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Stdout:  stdout,
		Ready:   func(rootPEM []byte) error { return printDemo(stdout, places, dir, rootPEM) },
	})
}

// serveApp starts a sample application on a port of this machine.
func serveApp(tenant string) (stop func(), address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	server := &http.Server{Handler: demo.App(tenant), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(l) }() // ends with stop
	return func() { _ = server.Close() }, l.Addr().String(), nil
}

// freePort returns the first port from wish upwards that can be listened on.
func freePort(wish int) (int, error) {
	const tries = 100
	for port := wish; port < wish+tries; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("the ports %d to %d of this machine are all in use", wish, wish+tries-1)
}

func printDemo(w io.Writer, places demo.Places, dir string, rootPEM []byte) error {
	caFile := filepath.Join(dir, "root.pem")
	if err := os.WriteFile(caFile, rootPEM, 0o644); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	fmt.Fprintf(w, "gatehouse serves two sample tenants; the table is in %s. Try in another shell:\n", dir)
	for _, line := range places.Lines(caFile) {
		fmt.Fprintf(w, "\n# %s\n%s\n", line.Shows, line.Command)
	}
	fmt.Fprintln(w, "\nCtrl-C drains and ends it.")
	return nil
}

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const (
	// issueTimeMax bounds the wait for the first certificates; they take a few
	// seconds.
	issueTimeMax = time.Minute

	// stopTimeMax bounds the end of the gateway, which drains for two seconds.
	stopTimeMax = 20 * time.Second
)

func main() {
	gatehouse := flag.String("gatehouse", "bin/gatehouse", "the program")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *gatehouse, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "acmelab:", err)
		os.Exit(1)
	}
}

// run plays until ctx ends.
func run(ctx context.Context, gatehouse string, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gatehouse-acme-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := furnish(dir)
	if err != nil {
		return err
	}
	defer l.close()
	fmt.Fprintf(stdout, "the authority is %s, DNS is %s, all files are in %s\n", l.directory, l.dns, dir)

	config := filepath.Join(dir, "gatehouse.yaml")
	gateway := exec.CommandContext(ctx, gatehouse, "run", "-c", config)
	gateway.Stderr = stderr
	gateway.Cancel = func() error { return gateway.Process.Signal(syscall.SIGTERM) }
	gateway.WaitDelay = stopTimeMax
	if err := gateway.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- gateway.Wait() }()
	if err := l.served(ctx, ended); err != nil {
		return errors.Join(err, gateway.Cancel())
	}
	l.print(stdout, gatehouse, config)
	return ignoreInterrupt(ctx, <-ended)
}

// ignoreInterrupt takes the end that was asked for as what it is.
func ignoreInterrupt(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// served waits until every host that can have a certificate presents it.
func (l *lab) served(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, issueTimeMax)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for _, host := range []string{"pa.acme.example", "www.globex.example", "anything.wild.example"} {
		dialer := tls.Dialer{Config: &tls.Config{ServerName: host, RootCAs: l.issuer}}
		for {
			c, err := dialer.DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", l.httpsPort))
			if err == nil {
				_ = c.Close() // nothing was said on it
				break
			}
			select {
			case <-again.C:
			case err := <-ended:
				return fmt.Errorf("the gateway ended: %w", err)
			case <-ctx.Done():
				return fmt.Errorf("%s has no certificate: %w", host, err)
			}
		}
	}
	return nil
}

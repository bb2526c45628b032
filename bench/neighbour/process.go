package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// The two processors: one for the proxy, one for everybody else.
const (
	proxyProcessor = "0"
	otherProcessor = "1"
)

// stopTime bounds the end of a process.
const stopTime = 15 * time.Second

// elsewhere is where clients and backends run. Those that come first are what
// is measured: nothing else on their processor delays them.
func elsewhere(first bool) []string {
	on := []string{"taskset", "-c", otherProcessor}
	if first {
		return append(on, "chrt", "--rr", "1")
	}
	// The kernel moves packets in threads of its own when there are many: A's
	// side must not keep those from B's.
	return append(on, "nice", "-n", "19")
}

// process is one that was started here.
type process struct {
	cmd   *exec.Cmd
	ended chan error
}

type processes []*process

// start starts a program with what goes before it: taskset and chrt replace
// themselves by it.
func (p *place) start(ctx context.Context, before []string, program string, args ...string) (*process, error) {
	cmd := p.command(ctx, before, program, args...)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	started := &process{cmd, make(chan error, 1)}
	go func() { started.ended <- cmd.Wait() }()
	return started, nil
}

// output runs a program and returns what it prints.
func (p *place) output(ctx context.Context, before []string, program string, args ...string) ([]byte, error) {
	cmd := p.command(ctx, before, program, args...)
	return cmd.Output()
}

func (p *place) command(ctx context.Context, before []string, program string, args ...string) *exec.Cmd {
	line := append(append(before, program), args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir, cmd.Stderr = p.dir, p.log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	return cmd
}

// stop ends a process in order, or at all.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTime):
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

func (all processes) stop() error {
	var err error
	for _, p := range all {
		err = errors.Join(err, p.stop())
	}
	return err
}

// reachable waits until somebody listens.
func reachable(ctx context.Context, address string) error {
	for range 100 {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("nobody listens at %s", address)
}

// startProxy starts a proxy on its processor.
func (p *place) startProxy(ctx context.Context, name string) (*process, error) {
	var line []string
	switch name {
	case "gatehouse":
		line = []string{p.gatehouse, "run", "-c", filepath.Join(p.dir, "gatehouse.yaml")}
	case "nginx":
		line = []string{"nginx", "-p", p.dir, "-c", filepath.Join(p.dir, "nginx.conf"), "-e", filepath.Join(p.dir, "nginx.log")}
	case "haproxy":
		line = []string{"haproxy", "-db", "-f", filepath.Join(p.dir, "haproxy.cfg")}
	default:
		return nil, fmt.Errorf("no proxy %s", strconv.Quote(name))
	}
	started, err := p.start(ctx, []string{"taskset", "-c", proxyProcessor, "nice", "-n", "-20"}, line[0], line[1:]...)
	if err != nil {
		return nil, err
	}
	if err := reachable(ctx, proxyAddress); err != nil {
		return nil, errors.Join(err, started.stop())
	}
	return started, nil
}

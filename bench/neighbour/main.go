package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// settings are what a run is told.
type settings struct {
	rounds  int
	measure time.Duration // of each measurement
	proxies []string
	attacks []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "neighbour:", err)
		os.Exit(1)
	}
}

// run plays a part, or the whole where args name none.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "backend":
			return playBackend(ctx, args[1:])
		case "attack":
			return playAttack(ctx, args[1:])
		case "probe":
			return playProbe(ctx, args[1:], out)
		}
	}
	var s settings
	flags := flag.NewFlagSet("neighbour", flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 3, "how often everything is measured")
	seconds := flags.Int("seconds", 10, "seconds of each measurement")
	proxies := flags.String("proxies", "gatehouse,nginx,haproxy", "which proxies")
	attacks := flags.String("attacks", strings.Join(attackNames(), ","), "which attacks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.measure = time.Duration(*seconds) * time.Second
	s.proxies, s.attacks = strings.Split(*proxies, ","), strings.Split(*attacks, ",")
	return measure(ctx, &s, out)
}

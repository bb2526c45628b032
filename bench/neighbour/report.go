package main

import (
	"fmt"
	"slices"
)

// line prints one measurement.
func (s *stage) line(round string, key figureKey, f figure) {
	fmt.Fprintf(s.out, "%-6s %-10s %-12s %26s %26s %9d\n", round, key.proxy, key.attack,
		beside(f.before.Requests.P99, f.during.Requests.P99), beside(f.before.Fresh.P99, f.during.Fresh.P99),
		f.during.Requests.Failed+f.during.Fresh.Failed)
}

// beside prints a baseline, what came of it, and the ratio.
func beside(before, during float64) string {
	return fmt.Sprintf("%.1f -> %.1f (%.2f)", before, during, ratio(before, during))
}

func ratio(before, during float64) float64 {
	if before == 0 {
		return 0
	}
	return during / before
}

// report prints the medians as a table of Markdown.
func (s *stage) report() {
	fmt.Fprint(s.out, "\n| A's attack | proxy | p99 of B's requests, ms: alone, under attack | ratio | p99 of B's new clients, ms | ratio | B's failures, all rounds |\n|---|---|---|---|---|---|---|\n")
	for _, attack := range s.settings.attacks {
		for _, proxy := range s.settings.proxies {
			all := s.figures[figureKey{proxy, attack}]
			requests := func(f figure) (a, b float64) { return f.before.Requests.P99, f.during.Requests.P99 }
			fresh := func(f figure) (a, b float64) { return f.before.Fresh.P99, f.during.Fresh.P99 }
			failed := 0
			for _, f := range all {
				failed += f.during.Requests.Failed + f.during.Fresh.Failed
			}
			fmt.Fprintf(s.out, "| %s | %s | %s | %s | %d |\n", attack, proxy, medians(all, requests), medians(all, fresh), failed)
		}
	}
}

// medians prints the medians of baselines, of what came of them, and of the
// ratios of each round.
func medians(all []figure, of func(figure) (before, during float64)) string {
	var before, during, ratios []float64
	for _, f := range all {
		b, d := of(f)
		before, during, ratios = append(before, b), append(during, d), append(ratios, ratio(b, d))
	}
	return fmt.Sprintf("%.1f, %.1f | %.2f", median(before), median(during), median(ratios))
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

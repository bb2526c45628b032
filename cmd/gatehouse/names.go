package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/admin"
)

// namesShown bounds the names of backends that status prints; --json has them all.
const namesShown = 20

// printNames shows where names of backends lead, those in trouble first.
func printNames(w io.Writer, names []admin.NameStatus, now time.Time) error {
	if len(names) == 0 {
		return nil
	}
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b admin.NameStatus) int {
		return cmp.Compare(min(len(b.Fault), 1), min(len(a.Fault), 1))
	})
	fmt.Fprintln(w)
	table := newTable(w, "NAME", "ADDRESSES", "CONFIRMED", "WHY NOT")
	for _, n := range names[:min(len(names), namesShown)] {
		confirmed, why := "never", n.Fault
		if !n.Confirmed.IsZero() {
			confirmed = now.Sub(n.Confirmed).Round(time.Second).String() + " ago"
		}
		switch {
		case why != "":
		case n.Forbidden != "":
			why = "not used: " + n.Forbidden
		case n.Unused > 0:
			why = fmt.Sprintf("%d more not used", n.Unused)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", n.Name, some(n.Addresses), confirmed, why)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := len(names) - namesShown; more > 0 {
		fmt.Fprintf(w, "and %d more; gatehouse status --json has them all\n", more)
	}
	return nil
}

// addressOf names a backend, and which of the addresses of its name.
func addressOf(b *admin.BackendStatus) string {
	if b.Address == "" {
		return b.URL
	}
	return b.URL + " at " + b.Address
}

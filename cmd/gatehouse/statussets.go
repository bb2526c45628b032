package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"gatehouse/internal/admin"
)

// setsShown is how many live sources are listed whatever their state: where there
// are more, those are that somebody must look at.
const setsShown = 20

// printSets lists the live sources of sets, with the age of what they listed.
func printSets(w io.Writer, sets []admin.SetStatus, now time.Time) error {
	if all := len(sets); all > setsShown {
		sets = slices.DeleteFunc(slices.Clone(sets), func(s admin.SetStatus) bool { return s.State == "fresh" })
		fmt.Fprintf(w, "live sources of sets: %d fresh\n", all-len(sets))
	}
	if len(sets) == 0 {
		return nil
	}
	t := newTable(w, "SET", "TENANT", "SOURCE", "STATE", "ENTRIES", "AGE", "WHY")
	for _, s := range sets {
		age := "-"
		if !s.Good.IsZero() {
			age = now.Sub(s.Good).Round(time.Second).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", s.Set, orDash(s.Tenant), s.Source, s.State, s.Entries, age, orDash(s.Why))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return nil
}

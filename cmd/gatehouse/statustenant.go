package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/admin"
)

// oneTenant shows one tenant in full.
func oneTenant(w io.Writer, asJSON bool, s admin.Status, id string) error {
	i := slices.IndexFunc(s.Tenants, func(t admin.TenantStatus) bool { return t.ID == id })
	if i < 0 {
		return fmt.Errorf("there is no tenant %q; gatehouse status lists them", id)
	}
	if t := s.Tenants[i]; asJSON {
		return printJSON(w, t)
	}
	ordered := slices.DeleteFunc(s.Levers, func(l admin.LeverStatus) bool {
		tenant, _, _ := strings.Cut(l.Of, "/")
		return tenant != id || l.Lever == admin.Block
	})
	return printTenant(w, s.Tenants[i], ordered)
}

func printTenant(w io.Writer, t admin.TenantStatus, ordered []admin.LeverStatus) error {
	fmt.Fprintf(w, "tenant %s of %s, %s\n", t.ID, t.File, t.State)
	fmt.Fprintf(w, "hosts: %s\n", orDash(strings.Join(t.Hosts, ", ")))
	fmt.Fprintf(w, "now: %s, %s in progress\n", plural(t.Connections, "connection"), plural(t.InFlight, "request"))
	for _, m := range t.Means {
		fmt.Fprintf(w, "holds %s of %s that it may have\n", quantity(m.Means, m.Held), quantity(m.Means, m.Part))
	}
	if err := printBackends(w, t.Pools); err != nil {
		return err
	}
	if len(t.Limits) > 0 {
		fmt.Fprintln(w)
		limits := newTable(w, "LEVEL", "LIMIT", "IS", "USED", "NOW")
		for _, l := range t.Limits {
			fmt.Fprintf(limits, "%s\t%s\t%s\t%s\t%s\n", l.Level, l.Limit, l.Is, usedOf(&l), orDash(l.Now))
		}
		if err := limits.Flush(); err != nil {
			return err
		}
	}
	if len(ordered) > 0 {
		fmt.Fprintln(w)
	}
	return printLevers(w, ordered)
}

// printBackends shows how each backend stands.
func printBackends(w io.Writer, pools []admin.PoolStatus) error {
	if len(pools) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	table := newTable(w, "BACKEND", "POOL", "STATE", "SINCE", "IN FLIGHT", "WEIGHT", "WHY")
	for _, p := range pools {
		for _, b := range p.Backends {
			since := "-"
			if !b.Since.IsZero() {
				since = b.Since.Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", addressOf(&b), p.Label, b.State, since, b.InFlight, b.Weight, orDash(whyOf(&b)))
		}
	}
	return table.Flush()
}

// whyOf says why a backend stands as it does, and that one that is up is asked
// only for want of others.
func whyOf(b *admin.BackendStatus) string {
	if b.Backup && b.State == admin.BackendUp {
		return "backup, asked while no other takes requests"
	}
	return b.Why
}

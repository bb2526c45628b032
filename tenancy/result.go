package tenancy

import (
	"fmt"
	"slices"

	"gatehouse/internal/conf"
)

// conclude keeps what the next compilation needs and says what this one came
// to.
func (c *compilation) conclude() *Result {
	r := new(Result)
	r.Report.Add(&c.main)
	r.MainFaults = c.main.Faults()
	for _, item := range c.w.in.Main.Include.Items {
		if slices.Contains(c.w.in.Unmatched, item.V) {
			r.Report.Warn(item.Pos, "", "include %q matches no file", item.V)
		}
	}
	records := make(map[string]*record, len(c.entries))
	shares := c.shareOut()
	for _, e := range c.entries {
		records[e.id] = &record{inline: e.inline, fresh: e.fresh, running: e.chosen, claims: e.claims(), judged: e.judged}
		c.tell(r, e, &shares)
	}
	c.table.memory = newMemory(c.w, records)
	c.compare(r)
	return r
}

// tenantFaultsMost bounds the faults of tenants that a Result names, so that
// there is room for those of the main file, which may be what caused them.
const tenantFaultsMost = 150

// shares say how many faults of each tenant are named, and of all that follow.
type shares struct{ each, left int }

// shareOut gives the same room to every tenant that has faults.
func (c *compilation) shareOut() shares {
	faulty := 0
	for _, e := range c.entries {
		if e.fresh.build.report.Faults()+e.trouble.Faults() > 0 {
			faulty++
		}
	}
	return shares{max(1, tenantFaultsMost/max(1, faulty)), tenantFaultsMost}
}

// findings gathers what is to be said about a tenant.
func (e *entry) findings() *conf.Report {
	all := new(conf.Report)
	all.Add(e.fresh.build.report)
	all.Add(&e.trouble)
	if e.former.build != nil && e.former.build != e.fresh.build {
		all.Add(e.former.build.report)
	}
	if e.judged != nil {
		all.Add(e.judged)
	}
	return all
}

// tell adds what became of one tenant.
func (c *compilation) tell(r *Result, e *entry, s *shares) {
	findings := e.findings()
	share := min(s.each, s.left)
	s.left -= min(share, findings.Faults())
	r.Report.AddSome(findings, share)
	if e.chosen.serves() {
		r.Expected += len(e.chosen.build.cases)
	}
	switch {
	case e.inline:
		r.MainFaults += e.fresh.build.report.Faults() + e.trouble.Faults()
		if !e.fresh.serves() && e.fresh.build.report.Faults() == 0 {
			r.MainFaults++ // reading the main file told why
		}
	case e.freshChosen():
		if e.failed == 0 && (e.old == nil || e.old.running.version != e.fresh.version) {
			if r.LastGood == nil {
				r.LastGood = make(map[string][]byte)
			}
			r.LastGood[e.id] = e.fresh.version.text
		}
	default:
		r.Quarantined = append(r.Quarantined, Quarantine{Tenant: e.id, File: e.file, Served: e.chosen.serves(), Findings: findings.Findings()})
		c.tellBroken(r, e)
	}
}

// tellBroken blames the main file for a tenant whose own file did not change.
func (c *compilation) tellBroken(r *Result, e *entry) {
	if e.was == nil || e.chosen.serves() || c.w.same || !e.unchanged() {
		return
	}
	r.Broken = append(r.Broken, e.id)
	r.MainFaults++
	r.Report.Fault(conf.Pos{File: c.w.in.MainFile}, "mend the main file, or "+e.file+" before it",
		"tenant %q is served and its file %s did not change, but it does not compile with this main file", e.id, e.file)
}

// The force rule: a reload that takes away more than the larger of these is
// rather a mistake.
const (
	removedFew     = 3
	removedPercent = 5
)

// compare says how the table differs from Previous.
func (c *compilation) compare(r *Result) {
	before := c.previous
	if before == nil {
		for _, t := range c.table.tenants {
			r.Added = append(r.Added, t.id)
		}
		return
	}
	for _, t := range c.table.tenants {
		switch was := before.byID[t.id]; was {
		case t:
		case nil:
			r.Added = append(r.Added, t.id)
		default:
			r.Changed = append(r.Changed, t.id)
		}
	}
	for _, t := range before.tenants {
		if c.table.byID[t.id] == nil {
			r.Removed = append(r.Removed, t.id)
		}
	}
	for id, old := range before.memory.records {
		now := c.table.memory.records[id]
		if gone := now == nil || now.inline; gone && !old.inline && isTenantID(id) {
			r.Forget = append(r.Forget, id)
		}
	}
	slices.Sort(r.Forget)
	r.Force = c.forceReason(r)
}

// ManyRemoved reports whether that many of the tenants there were are rather a
// mistake.
func ManyRemoved(removed, before int) bool {
	return removed > max(removedFew, before*removedPercent/100)
}

func (c *compilation) forceReason(r *Result) string {
	before := len(c.previous.tenants)
	if n := len(r.Removed); ManyRemoved(n, before) {
		return fmt.Sprintf("%d of %d tenants would be removed", n, before)
	}
	for _, pattern := range c.w.in.Unmatched {
		if c.previous.memory.matched[pattern] {
			return fmt.Sprintf("include %q matched files and matches none now", pattern)
		}
	}
	return ""
}

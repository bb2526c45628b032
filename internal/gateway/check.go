package gateway

import (
	"fmt"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
)

// CheckResult is what [Check] found.
type CheckResult struct {
	File     string         `json:"file"`
	Fine     bool           `json:"fine"`
	Tenants  int            `json:"tenants"`
	Hosts    int            `json:"hosts"`
	Expected int            `json:"expected"` // expect cases that were judged
	Findings []conf.Finding `json:"findings"`
}

// Check finds every mistake in a main file and all that it leads to. It only
// reads.
func Check(config string) (CheckResult, error) {
	l, err := newLoader(config, toCheck).load(nil)
	if err != nil {
		return CheckResult{}, err
	}
	result := CheckResult{
		File:     config,
		Tenants:  len(l.table.Tenants()),
		Expected: l.result.Expected,
		Findings: l.result.Report.Findings(),
	}
	for range l.table.Hosts() {
		result.Hosts++
	}
	result.Fine = l.result.Applicable() && l.result.Report.Faults() == 0
	return result, nil
}

// Schema returns the JSON Schema of the main file or of a tenant's file.
func Schema(tenant bool) ([]byte, error) {
	if tenant {
		return conf.Schema(tenancy.TenantSpec{}, "gatehouse tenant file")
	}
	return conf.Schema(Config{}, "gatehouse main file")
}

// faultsError joins the faults among findings into one error of many lines.
func faultsError(findings []conf.Finding) error {
	var lines []string
	for _, f := range findings {
		if f.Severity == conf.Fault {
			lines = append(lines, f.String())
		}
	}
	return fmt.Errorf("the routing table has mistakes:\n%s", strings.Join(lines, "\n"))
}

package gateway

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
)

// CheckResult is what [Check] found.
type CheckResult struct {
	File     string         `json:"file"`
	Fine     bool           `json:"fine"` // there is no fault
	Tenants  int            `json:"tenants"`
	Hosts    int            `json:"hosts"`
	Expected int            `json:"expected"` // expect cases that were judged
	Faults   int            `json:"faults"`
	Omitted  int            `json:"omitted"` // findings that were counted and are not listed
	Findings []conf.Finding `json:"findings"`
}

// Check finds every mistake in a main file and all that it leads to. It only
// reads.
func Check(config string) (CheckResult, error) {
	l, err := newLoader(config, toCheck).load(nil)
	if err != nil {
		return CheckResult{}, err
	}
	report := &l.result.Report
	result := CheckResult{
		File:     config,
		Fine:     l.result.Applicable() && report.Faults() == 0,
		Tenants:  len(l.table.Tenants()),
		Expected: l.result.Expected,
		Faults:   report.Faults(),
		Omitted:  report.Omitted(),
		Findings: nonNil(report.Findings()),
	}
	for range l.table.Hosts() {
		result.Hosts++
	}
	return result, nil
}

// Schema returns the JSON Schema of the main file or of a tenant's file.
func Schema(tenant bool) ([]byte, error) {
	if tenant {
		return conf.Schema(tenancy.TenantSpec{}, "gatehouse tenant file")
	}
	return conf.Schema(Config{}, "gatehouse main file")
}

// faultsError makes one error of the faults among findings: one line where one
// line says it.
func faultsError(findings []conf.Finding) error {
	var faults []string
	for _, f := range findings {
		if f.Severity == conf.Fault {
			faults = append(faults, f.String())
		}
	}
	if len(faults) == 1 {
		return errors.New(faults[0])
	}
	return fmt.Errorf("the routing table has mistakes:\n%s", strings.Join(faults, "\n"))
}

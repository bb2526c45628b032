package gateway

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// Explain judges a request by the files, as [Run] would judge it if it started
// now with no last good copies. broken are tenants that the verdict leaves out
// for mistakes in their files.
func Explain(config string, q admin.ExplainQuery) (e admin.Explanation, broken []admin.Quarantine, err error) {
	l, err := newLoader(config, toExplain).load(nil)
	if err != nil {
		return admin.Explanation{}, nil, err
	}
	if !l.result.Applicable() {
		return admin.Explanation{}, nil, faultsError(l.result.Report.Findings())
	}
	e, err = explain(l.table, q)
	return e, quarantines(l.result), err
}

// CheckQuery says what is wrong with a query that nobody could answer.
func CheckQuery(q admin.ExplainQuery) error {
	_, _, err := questionOf(q)
	return err
}

// explain judges a request by a table.
func explain(t *tenancy.Table, q admin.ExplainQuery) (admin.Explanation, error) {
	question, target, err := questionOf(q)
	if err != nil {
		return admin.Explanation{}, err
	}
	var trace tenancy.Trace
	v := t.Judge(question, &trace)
	e := admin.Explanation{Verdict: v.String(), Steps: stepsOf(&trace)}
	if v.Action == tenancy.Refuse {
		e.Reason, e.Status = v.Reason.String(), v.Status
	}
	if v.Tenant != nil {
		e.Tenant = v.Tenant.ID()
	}
	if v.Host != nil {
		e.Host = v.Host.Name()
	}
	if v.Action == tenancy.Forward {
		e.Route = v.Route.Prefix()
		for _, b := range v.Route.Backends() {
			e.Backends = append(e.Backends, backendURL(b))
		}
	}
	if v.Action == tenancy.Redirect {
		if v.Route != nil {
			e.Route = v.Route.Prefix()
		}
		e.Location = string(t.AppendRedirect(nil, v, []byte(question.Host), []byte(target)))
	}
	return e, nil
}

// stepsOf tells what each gate said.
func stepsOf(trace *tenancy.Trace) []admin.Step {
	steps := make([]admin.Step, 0, len(trace.Steps))
	for _, s := range trace.Steps {
		step := admin.Step{Gate: s.Gate, Outcome: s.Outcome, Text: s.Text}
		if !s.Pos.IsZero() {
			step.Position = s.Pos.String()
		}
		steps = append(steps, step)
	}
	return steps
}

// questionOf reads the query. target is path and query as they would be sent.
func questionOf(q admin.ExplainQuery) (question tenancy.Question, target string, err error) {
	if err := question.ParseURL(q.URL); err != nil {
		return question, "", err
	}
	from, err := netip.ParseAddr(q.From)
	if err != nil || from.Zone() != "" {
		return question, "", fmt.Errorf("%q is not an address; write it like %q", q.From, "203.0.113.5")
	}
	question.Method, question.From, question.SNI, question.User, question.At = q.Method, from.Unmap(), q.SNI, q.User, time.Now()
	target = question.Path
	if written, _, _ := strings.Cut(q.URL, "#"); strings.Contains(written, "?") {
		_, query, _ := strings.Cut(written, "?")
		target += "?" + query
	}
	return question, target, nil
}

func backendURL(b *pool.Backend) string {
	if b.TLS() {
		return "https://" + b.Address()
	}
	return "http://" + b.Address()
}

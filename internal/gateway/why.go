package gateway

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// The steps behind those of the table, and their outcomes.
const (
	stepHead    = "head"
	stepLimits  = "limits"
	stepAuth    = "auth"
	stepQueue   = "queue"
	stepBackend = "backend"
	stepAnswer  = "answer"

	outcomePass   = "pass"
	outcomeFail   = "fail" // of a backend
	outcomeRefuse = "refuse"
)

// why says what became of the request with a ref.
func (g *gateway) why(ref string) (admin.Why, error) {
	r, ok := g.server.Receipt(strings.ToLower(strings.TrimSpace(ref)))
	if !ok {
		return admin.Why{}, fmt.Errorf("no request with the ref %q is remembered: of the last ones of each kind some thousand are, in this process alone, and those in progress are not; the access log may have it", ref)
	}
	return whyOf(g.current.Load().table, r), nil
}

// whyOf tells a receipt, with the gates as t judges.
func whyOf(t *tenancy.Table, r proxy.Receipt) admin.Why {
	w := admin.Why{
		Ref: r.Ref, At: r.Started.UTC(), Method: r.Method, URL: urlOf(r), PathCut: r.PathCut,
		Protocol: r.Protocol, Listener: r.Listener, Tenant: r.Tenant, Verdict: verdictOf(r), Status: r.Status,
		Generation: r.Table, GenerationNow: t.Generation(), Steps: []admin.Step{},
		TookMillis: millis(r.Took), QueuedMillis: millis(r.Queued), ConnectMillis: millis(r.Connect),
		BytesIn: r.BytesIn, BytesOut: r.BytesOut,
	}
	if r.Client.IsValid() {
		w.Client = r.Client.String()
	}
	for _, try := range r.Tries {
		w.Backends = append(w.Backends, admin.BackendTry{Backend: try.Backend, Outcome: try.Outcome, TookMillis: millis(try.Took)})
	}
	w.Cut = cut(r)
	if r.Table == 0 {
		w.Steps = append(w.Steps, admin.Step{Gate: stepHead, Outcome: outcomeRefuse, Text: r.Detail})
		return w
	}
	var trace tenancy.Trace
	now := t.Retrace(questionAbout(t, r), &trace).String()
	w.Steps = append(w.Steps, stepsOf(&trace)...)
	if now != tableVerdict(r) {
		w.VerdictNow = now
	}
	if !r.ByTable {
		w.Steps = append(w.Steps, happened(r)...)
	}
	return w
}

// questionAbout is what to ask a table about the request.
func questionAbout(t *tenancy.Table, r proxy.Receipt) tenancy.Question {
	q := tenancy.Question{Scheme: "https", Host: r.Host, Path: r.Path, Method: r.Method, From: r.Client, SNI: r.SNI, At: r.Started}
	if r.Plain {
		q.Scheme = "http"
	}
	for _, l := range t.Listeners() {
		if l.Name == r.Listener {
			q.Listener = l
		}
	}
	return q
}

// verdictOf is what became of the request, and tableVerdict what the table said
// of it: what it lets pass may be refused for other reasons.
func verdictOf(r proxy.Receipt) string {
	if r.Reason != tenancy.NoReason {
		return tenancy.Refuse.String() + " " + r.Reason.String()
	}
	return tableVerdict(r)
}

func tableVerdict(r proxy.Receipt) string {
	switch {
	case r.ByTable:
		return tenancy.Refuse.String() + " " + r.Reason.String()
	case r.Redirect:
		return tenancy.Redirect.String()
	}
	return tenancy.Forward.String()
}

// happened tells what became of a request that the table let pass.
func happened(r proxy.Receipt) (steps []admin.Step) {
	add := func(gate, outcome, format string, args ...any) {
		steps = append(steps, admin.Step{Gate: gate, Outcome: outcome, Text: fmt.Sprintf(format, args...)})
	}
	if r.Asked && r.Limit != authKey {
		add(stepAuth, outcomePass, "name and password were right")
	}
	if r.Vouching > 0 && (r.Reason == tenancy.NoReason || len(r.Tries) > 0) {
		add(stepAuth, outcomePass, "auth services admit it, after %s", spell(r.Vouching))
	}
	if r.Queued > 0 {
		add(stepQueue, outcomePass, "waited %s for its turn", spell(r.Queued))
	}
	switch r.Limit {
	case "":
	case authKey, forwardAuthKey:
		add(stepAuth, outcomeRefuse, "%s: %s", r.Level, reasonWords(r))
		return steps
	default:
		add(stepLimits, outcomeRefuse, "%s: %s: %s", r.Level, keyOf(r.Limit), reasonWords(r))
		return steps
	}
	for _, try := range r.Tries {
		outcome := outcomeFail
		if try.Answered {
			outcome = outcomePass
		}
		add(stepBackend, outcome, "%s %s, after %s", try.Backend, try.Outcome, spell(try.Took))
	}
	switch {
	case cut(r):
		add(stepAnswer, outcomeRefuse, "%d, cut with %d bytes of body, after %s: %s", r.Status, r.BytesOut, spell(r.Took), reasonWords(r))
	case r.Reason != tenancy.NoReason:
		add(stepAnswer, outcomeRefuse, "%s", reasonWords(r))
	case r.Status != 0:
		add(stepAnswer, outcomePass, "%d, with %d bytes of body, after %s", r.Status, r.BytesOut, spell(r.Took))
	}
	return steps
}

// cut reports whether a backend's answer had begun when something ended it.
func cut(r proxy.Receipt) bool { return r.Relayed && r.Reason != tenancy.NoReason }

// keyOf is the key of a limit, as it is written.
func keyOf(limit string) string {
	if limit == breakerKey {
		return limit
	}
	return "limits." + limit
}

// breakerKey is what bounds each backend of a pool.
const breakerKey = "circuit_breaker"

// authKey is where a name and a password are asked for.
const authKey = "basic_auth"

// forwardAuthKey is where another program is asked.
const forwardAuthKey = "forward_auth"

// reasonWords says what refused or ended a request, beyond what its code says.
func reasonWords(r proxy.Receipt) string {
	words := r.Reason.String()
	switch r.Reason {
	case tenancy.IPNotAllowed, tenancy.Blocked, tenancy.Suspended:
		words += ": cut while it was in progress, since it was not admitted any more"
	case tenancy.AuthRequired:
		if r.Limit == "" {
			words += ": cut while it was in progress, since its user was not admitted any more"
		}
	case tenancy.TooManyInFlight:
		if r.Limit == "" && r.Detail == "" {
			words += ": the tenant has its part of what all tenants share: memory, goroutines or connections"
		}
	case tenancy.Internal:
		words += ": a fault of the gateway; its log has it by this ref"
	}
	if r.Detail != "" {
		words += ": " + r.Detail
	}
	return words
}

// urlOf is what was asked for, "" where nobody knows.
func urlOf(r proxy.Receipt) string {
	switch {
	case r.Host == "":
		return ""
	case r.Plain:
		return "http://" + r.Host + r.Path
	}
	return "https://" + r.Host + r.Path
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// spell writes a duration to three digits or so.
func spell(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

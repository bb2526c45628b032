package tenancy

import (
	"fmt"
	"net/netip"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// Trace collects what each gate said, for whoever asks why. The doors add to it
// in the order in which they judge; a nil Trace is the request path's and costs
// nothing.
type Trace struct {
	Steps []Step
}

// Step is what one gate said.
type Step struct {
	Gate    string   `json:"gate"`    // the gate, one of the words below
	Outcome string   `json:"outcome"` // pass or refuse
	Text    string   `json:"text"`    // what decided, in words
	Pos     conf.Pos `json:"pos"`     // where that is written; zero when nothing written decided
}

// The gates, as the steps of a trace name them.
const (
	gateBlock       = "block"
	gateChallenge   = "challenge"
	gateSNI         = "sni"
	gateAccess      = "access"
	gateCertificate = "certificate"
	gateRequest     = "request"
	gateAuthority   = "authority"
	gatePath        = "path"
	gateRoute       = "route"
	gateCanary      = "canary"
	gateMirror      = "mirror"
	gateSuspended   = "suspended"
	gateMaintenance = "maintenance"
	gateDrain       = "drain"
	gateLimits      = "limits"
	gateAuth        = "auth"
	gateRetries     = "retries"
	gateCompression = "compression"
	gateRedirect    = "redirect"
)

// The outcomes of a step.
const (
	outcomePass   = "pass"
	outcomeRefuse = "refuse"
)

// noPos is the place of what nothing written decided.
var noPos conf.Pos

// String returns the step on one line.
func (s Step) String() string {
	line := fmt.Sprintf("%-11s %-6s %s", s.Gate, s.Outcome, s.Text)
	if !s.Pos.IsZero() {
		line += " (" + s.Pos.String() + ")"
	}
	return line
}

func (t *Trace) pass(gate string, pos conf.Pos, text string) {
	if t != nil {
		t.Steps = append(t.Steps, Step{gate, outcomePass, text, pos})
	}
}

func (t *Trace) refuse(gate string, pos conf.Pos, text string) {
	if t != nil {
		t.Steps = append(t.Steps, Step{gate, outcomeRefuse, text, pos})
	}
}

func (t *Trace) block(table *Table, client netip.Addr, now int64) {
	if t == nil {
		return
	}
	if m, ok := table.block.ExplainAt(client, table.At(now)); ok {
		t.refuse(gateBlock, m.Pos, fmt.Sprintf("%s is blocked by %s", client, m))
		return
	}
	if b, ok := table.levers.blocking(client, now); ok {
		t.refuse(gateBlock, noPos, fmt.Sprintf("%s is blocked by %s, by %s", client, b.Prefix, &b.Order))
		return
	}
	t.pass(gateBlock, noPos, fmt.Sprintf("no entry of block covers %s", client)+table.block.Unknown(table.At(now)))
}

// sni says whose host the handshake asks for; h is nil for nobody's.
func (t *Trace) sni(table *Table, q *Hello, h *Host) {
	if t != nil {
		t.name(table, gateSNI, q.SNI, h)
	}
}

// authority says whose host the request asks for; h is nil for nobody's.
func (t *Trace) authority(table *Table, q *Request, h *Host) {
	if t != nil {
		t.name(table, gateAuthority, string(q.Authority), h)
	}
}

// name says whose host a name is, or why it is nobody's.
func (t *Trace) name(table *Table, gate, name string, h *Host) {
	switch {
	case h != nil && h.wildcard:
		t.pass(gate, h.pos, fmt.Sprintf("%q is covered by %q of tenant %q", name, h.name, h.tenant.id))
		return
	case h != nil:
		t.pass(gate, h.pos, fmt.Sprintf("%q is a host of tenant %q", name, h.tenant.id))
		return
	case name == "":
		t.refuse(gate, noPos, "no name was sent")
		return
	}
	if c, ok := table.claimOf(name); ok {
		t.refuse(gate, c.pos, fmt.Sprintf("%q belongs to tenant %q, which is not served", name, c.tenant))
		return
	}
	t.refuse(gate, noPos, fmt.Sprintf("no tenant has the host %q", name))
}

// misdirected says what about the authority does not go with the handshake.
func (t *Trace) misdirected(table *Table, q *Request, h *Host) {
	if t == nil {
		return
	}
	name := string(q.Authority)
	switch {
	case h == nil:
		t.name(table, gateAuthority, name, nil)
	case h.tenant.id != q.SNI.TenantID:
		t.refuse(gateAuthority, h.pos, fmt.Sprintf("%q is a host of tenant %q, the SNI is one of tenant %q", name, h.tenant.id, q.SNI.TenantID))
	default:
		t.refuse(gateAuthority, h.pos, fmt.Sprintf("%q has the TLS profile %s, the SNI %s", name, h.Profile(), q.SNI.Profile))
	}
}

func (t *Trace) ambiguous(h *Host, why string) {
	if t != nil {
		t.refuse(gatePath, h.pos, "programs differ in how they read the path: "+why)
	}
}

// challenge says what comes before every gate while an authority looks for it.
func (t *Trace) challenge(q *Request) {
	if t != nil && strings.HasPrefix(string(q.Path), ChallengePath) {
		t.pass(gateChallenge, noPos, "the path is an ACME challenge's: while one is pending for this name and token, its answer comes before every gate below")
	}
}

func (t *Trace) certificate(h *Host) {
	switch {
	case t == nil:
	case h.source == NoSource:
		t.refuse(gateCertificate, h.pos, fmt.Sprintf("no certificate covers %q", h.name))
	case h.source == InternalCA:
		t.pass(gateCertificate, noPos, "issued by the internal CA")
	case h.source == ACME:
		t.pass(gateCertificate, noPos, "obtained by ACME; until there is one, handshakes are refused as no_certificate")
	default:
		t.pass(gateCertificate, noPos, "from a file")
	}
}

func (t *Trace) route(h *Host, r *Route) {
	switch {
	case t == nil:
	case r == nil:
		t.refuse(gateRoute, h.pos, fmt.Sprintf("no route of %q owns the path", h.name))
	default:
		t.pass(gateRoute, r.pos, fmt.Sprintf("route %q to %s", r.prefix, r.destination()+r.rewrite.described()))
		t.canary(r.canary)
		t.mirror(r.mirror)
	}
}

// limits tells what is written that the request will have to keep to. Whether it
// does, depends on who else asks.
func (t *Trace) limits(r *Route) {
	if t == nil {
		return
	}
	for _, c := range r.ceilings {
		for _, row := range c.Rows() {
			t.pass(gateLimits, row.Pos, c.Name+": "+row.String())
		}
	}
	if !r.bodyPos.IsZero() {
		t.pass(gateLimits, r.bodyPos, bodyText(r.limits.Body))
	}
}

// levels adds what each of levels says, up to the first that refuses.
func (t *Trace) levels(levels []level, client netip.Addr, m ipallow.Moment) {
	if t == nil {
		return
	}
	for i := range levels {
		if t.level(&levels[i], client, m); !levels[i].access.AdmitsAt(client, m) {
			return
		}
	}
}

func (t *Trace) level(l *level, client netip.Addr, m ipallow.Moment) {
	if t == nil {
		return
	}
	e := l.access.ExplainAt(client, m)
	text := l.name + ": " + e.String()
	if e.Admitted {
		t.pass(gateAccess, e.Pos, text)
		return
	}
	t.refuse(gateAccess, e.Pos, text+"; refused with "+l.how.String())
}

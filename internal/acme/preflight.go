package acme

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/dns01"
)

// PreflightReport is what a look at a host finds that spends nothing: whether
// an authority could prove control of it, and what its owner must set where not.
type PreflightReport struct {
	Host       string          `json:"host"`
	Tenant     string          `json:"tenant,omitempty"`
	CA         string          `json:"ca"`
	State      State           `json:"state,omitempty"`  // pending-dns, pending-caa or parked; empty: nothing stands against an order
	Unsure     bool            `json:"unsure,omitempty"` // DNS or the authority did not answer: nothing is known, and nobody's fault
	Detail     string          `json:"detail,omitempty"` // why, in words for the owner
	Record     string          `json:"record,omitempty"` // what the owner must set, as one line
	Addresses  []AddressReport `json:"addresses,omitempty"`
	Aliases    []string        `json:"aliases,omitempty"`    // CNAMEs that lead to the addresses
	Challenges []string        `json:"challenges,omitempty"` // that can prove control, as DNS is now
	Steps      []PreflightStep `json:"steps"`
}

// PreflightStep is one thing that was looked at.
type PreflightStep struct {
	Name    string   `json:"name"` // "address", "dns-01", "caa", "authority"
	Fine    bool     `json:"fine"`
	Text    string   `json:"text"`
	Records []string `json:"records,omitempty"` // what the owner must set, one line each
}

// Fine reports whether nothing stands against an order.
func (r *PreflightReport) Fine() bool { return r.State == "" && !r.Unsure }

// preflight looks at hosts before orders are spent on them.
type preflight struct {
	describe func(context.Context, *authority) (*directory, error)
	account  func(context.Context, *authority) (url string, err error) // empty: none yet
	offer    func(host, token, answer string) (withdraw func())
	machine  func() []netip.Addr
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// newPreflight returns one that offers its tokens where challenges are
// answered, and asks the authorities through the engine.
func newPreflight(e *engine) *preflight {
	return &preflight{
		describe: func(ctx context.Context, ca *authority) (*directory, error) { return e.client(ca).describe(ctx) },
		account: func(ctx context.Context, ca *authority) (string, error) {
			a, err := e.storedAccount(ctx, ca)
			if err != nil || a == nil {
				return "", err
			}
			return a.URL, nil
		},
		offer:   e.challenges.presentHTTP,
		machine: machineAddresses,
		dial:    new(net.Dialer).DialContext,
	}
}

// look implements lookFunc.
func (p *preflight) look(ctx context.Context, h Host, ca *authority, s *Settings) finding {
	r := p.inspect(ctx, h, ca, s)
	return finding{state: r.State, detail: r.Detail, record: r.Record, unsure: r.Unsure, kinds: r.Challenges}
}

// report is a look at everything, the authority's directory included.
func (p *preflight) report(ctx context.Context, h Host, ca *authority, s *Settings) PreflightReport {
	r := p.inspect(ctx, h, ca, s)
	r.Steps = append(r.Steps, p.authorityStep(ctx, h, ca))
	return r
}

// inspect looks at the ways to prove control, then at CAA. The owner learns of
// all obstacles at once.
func (p *preflight) inspect(ctx context.Context, h Host, ca *authority, s *Settings) PreflightReport {
	r := PreflightReport{Host: h.Name, Tenant: h.Tenant, CA: ca.Name}
	meant := s.kinds(h)
	if len(meant) == 0 {
		r.Steps = append(r.Steps, PreflightStep{Name: "dns-01", Text: uncovered(h)})
		r.blame(StateParked, r.Steps)
		return r
	}
	kinds, unsure := p.kinds(ctx, h, ca, s, &r)
	switch {
	case len(kinds) > 0:
		meant = kinds
	case unsure:
		r.doubt(r.Steps)
		return r
	default:
		r.blame(StatePendingDNS, r.Steps)
	}
	before := len(r.Steps)
	allowed, unsure := p.caa(ctx, h, ca, s, meant, &r)
	switch {
	case len(allowed) > 0 || r.State != "":
	case unsure:
		r.doubt(r.Steps[before:])
	default:
		r.blame(StatePendingCAA, r.Steps[before:])
	}
	if r.Fine() {
		r.Challenges = allowed
	}
	return r
}

// blame says what is in the way, and what the owner must set.
func (r *PreflightReport) blame(state State, steps []PreflightStep) {
	r.State, r.Detail = state, failing(steps)
	for _, step := range steps {
		if !step.Fine && len(step.Records) > 0 {
			r.Record = step.Records[0]
			return
		}
	}
}

// doubt says why nothing is known, which is nobody's fault.
func (r *PreflightReport) doubt(steps []PreflightStep) { r.Unsure, r.Detail = true, failing(steps) }

// failing joins what is not fine.
func failing(steps []PreflightStep) string {
	var text []string
	for _, step := range steps {
		if !step.Fine {
			text = append(text, step.Text)
		}
	}
	return strings.Join(text, "; ")
}

// kinds returns the challenges that can prove control as DNS is now. unsure:
// there may be more.
func (p *preflight) kinds(ctx context.Context, h Host, ca *authority, s *Settings, r *PreflightReport) (can []string, unsure bool) {
	meant := s.kinds(h)
	byAddress := func(kind string) bool { return kind != acmeclient.ChallengeTypeDNS01 }
	if slices.ContainsFunc(meant, byAddress) {
		way := p.reach(ctx, h, ca, s)
		r.Addresses, r.Aliases = way.addresses, way.aliases
		step := PreflightStep{Name: "address", Fine: way.fine, Text: way.text}
		if !way.fine {
			step.Records = way.records
		}
		r.Steps = append(r.Steps, step)
		unsure = unsure || way.unsure
		if !way.fine {
			meant = slices.DeleteFunc(meant, byAddress)
		}
	}
	if slices.Contains(meant, acmeclient.ChallengeTypeDNS01) {
		step, doubt := p.delegated(ctx, h, s)
		r.Steps = append(r.Steps, step)
		unsure = unsure || doubt
		if !step.Fine {
			meant = slices.DeleteFunc(meant, func(kind string) bool { return !byAddress(kind) })
		}
	}
	return meant, unsure
}

// uncovered says why there is no way at all to prove control.
func uncovered(h Host) string {
	if isWildcard(h.Name) {
		return fmt.Sprintf("a wildcard is proved by dns-01 alone, and no dns provider admits the tenant %q", h.Tenant)
	}
	return "none of the challenges that are permitted can work for " + h.Name
}

// delegated looks who writes the records of dns-01.
func (p *preflight) delegated(ctx context.Context, h Host, s *Settings) (step PreflightStep, unsure bool) {
	step.Name = "dns-01"
	target, err := s.providers.Target(ctx, s.dns, h.Tenant, h.Name)
	if missing, ok := errors.AsType[*dns01.NotCovered](err); ok {
		step.Text = missing.Why
		if missing.Record != "" {
			step.Records = []string{missing.Record}
		}
		return step, false
	}
	if err != nil {
		step.Text, unsure = p.silent(ctx, s, err)
		return step, unsure
	}
	step.Fine = true
	step.Text = fmt.Sprintf("dns provider %q writes %s", target.Provider.Name(), target.Name)
	return step, false
}

// caa looks whether CAA lets the authority issue, and by which challenges.
func (p *preflight) caa(ctx context.Context, h Host, ca *authority, s *Settings, asked []string, r *PreflightReport) (can []string, unsure bool) {
	step := PreflightStep{Name: "caa"}
	defer func() { r.Steps = append(r.Steps, step) }()
	records, at, err := s.dns.CAA(ctx, strings.TrimPrefix(h.Name, "*."))
	if err != nil {
		step.Text, unsure = p.silent(ctx, s, err)
		step.Text += "; an authority that gets no answer about CAA issues nothing"
		return nil, unsure
	}
	if len(records) == 0 {
		step.Fine, step.Text = true, "no CAA records; every authority may issue"
		return asked, false
	}
	q := &caaQuestion{records: records, at: at, wildcard: isWildcard(h.Name), kinds: asked}
	said, err := p.describe(ctx, ca)
	if err == nil {
		q.identities = said.CAA
		q.account, err = p.account(ctx, ca)
	}
	if err != nil {
		step.Text = fmt.Sprintf("%s has CAA records; whether they mean %s is not known: %v", at, ca.Name, err)
		return nil, true
	}
	if len(q.identities) == 0 {
		step.Fine, step.Text = true, fmt.Sprintf("%s has CAA records; %s does not say under which name they would mean it", at, ca.Name)
		return asked, false
	}
	v := q.judge()
	if len(v.kinds) == 0 {
		step.Text = v.why
		if v.record != "" {
			step.Records = []string{v.record}
		}
		return nil, false
	}
	step.Fine, step.Text = true, fmt.Sprintf("the CAA records of %s let %s issue", at, ca.Name)
	return v.kinds, false
}

// authorityStep asks the authority what it says of itself.
func (p *preflight) authorityStep(ctx context.Context, h Host, ca *authority) PreflightStep {
	step := PreflightStep{Name: "authority"}
	said, err := p.describe(ctx, ca)
	if err != nil {
		step.Text = err.Error()
		return step
	}
	profile := ca.profile(h)
	_, offered := said.Profiles[profile]
	switch {
	case said.EABRequired && ca.eab == nil:
		step.Text = ca.Name + " demands an external account binding; eab is not written"
	case profile != "" && !offered:
		step.Text = fmt.Sprintf("%s does not offer the profile %q; it offers %s", ca.Name, profile, offer(said))
	default:
		step.Fine = true
		step.Text = fmt.Sprintf("%s answers; it offers the profiles %s", ca.Name, offer(said))
	}
	return step
}

// offer lists the profiles of an authority.
func offer(said *directory) string {
	if len(said.Profiles) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(said.Profiles)), ", ")
}

// Preflight looks at a host as before an order, and at the authority that comes
// first. It spends nothing and changes nothing.
func (m *Manager) Preflight(ctx context.Context, host string) (PreflightReport, error) {
	m.mu.Lock()
	e, err := m.wanted(host)
	s := m.settings
	var h Host
	if err == nil {
		h = e.Host
	}
	m.mu.Unlock()
	if err != nil {
		return PreflightReport{}, err
	}
	if s == nil {
		return PreflightReport{}, errors.New("the main file says nothing of acme")
	}
	return m.preflight.report(ctx, h, s.authorities[0], s), nil
}

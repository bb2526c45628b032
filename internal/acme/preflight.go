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
	"time"

	"gatehouse/tlsconfig"
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

	from     *authority         // of CA
	kinds    []string           // like Challenges, also where the authority is silent
	verdicts map[string]verdict // of authorities that were looked at one by one
	silent   error              // why the authority could not be asked who it is
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
	register func(context.Context, *authority) (url string, err error)
	lacks    func(*authority) bool // it is known not to offer dns-persist-01
	offer    func(host, token, answer string) (withdraw func())
	machine  func() []netip.Addr
	now      func() time.Time
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
		register: func(ctx context.Context, ca *authority) (string, error) {
			a, err := e.register(ctx, e.client(ca))
			if err != nil {
				return "", err
			}
			return a.URL, nil
		},
		lacks:   func(ca *authority) bool { return e.client(ca).lacksPersist(e.now()) },
		offer:   e.challenges.presentHTTP,
		machine: machineAddresses,
		now:     e.now,
		dial:    new(net.Dialer).DialContext,
	}
}

// look implements lookFunc. Where it is the authority that does not answer, an
// order finds out for nothing, and others are tried.
func (p *preflight) look(ctx context.Context, h Host, ca *authority, s *Settings) finding {
	r := p.inspect(ctx, h, ca, s)
	f := finding{state: r.State, unsure: r.Unsure && r.silent == nil}
	if f.state != "" || f.unsure {
		f.detail, f.record = r.Detail, r.Record
	}
	if f.state == "" {
		f.kinds, f.verdicts = r.kinds, r.verdicts
	}
	return f
}

// report is a look at everything, the authority's directory included.
func (p *preflight) report(ctx context.Context, h Host, ca *authority, s *Settings) PreflightReport {
	r := p.inspect(ctx, h, ca, s)
	r.Steps = append(r.Steps, p.authorityStep(ctx, h, r.from))
	return r
}

// inspect looks at the ways to prove control, then at CAA. The owner learns of
// all obstacles at once.
func (p *preflight) inspect(ctx context.Context, h Host, ca *authority, s *Settings) PreflightReport {
	r := PreflightReport{Host: h.Name, Tenant: h.Tenant, CA: ca.Name, from: ca}
	meant := s.kinds(h)
	if len(meant) == 0 {
		r.Steps = append(r.Steps, PreflightStep{Name: "dns-01", Text: uncovered(h)})
		r.blame(StateParked, r.Steps)
		return r
	}
	can, unsure := p.ways(ctx, h, ca, s, &r)
	switch {
	case len(can) > 0:
		meant = can
	case unsure:
		r.doubt(r.Steps)
		return r
	default:
		state := StatePendingDNS
		if slices.Equal(meant, []string{tlsconfig.DNSPersist01}) && p.lacks(ca) {
			state = StateParked // it is not the owner who can do anything
		}
		r.blame(state, r.Steps)
	}
	p.permission(ctx, h, ca, s, meant, &r)
	if r.silent != nil && r.Fine() {
		if r.kinds == nil {
			r.kinds = meant
		}
		r.Unsure, r.Detail = true, clean(r.silent.Error())
	}
	if r.Fine() {
		r.Challenges = r.kinds
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
// first. It spends nothing; an account is registered there where dns-persist-01
// is written, whose record names it.
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

package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/dns01"
	"gatehouse/tlsconfig"
)

// ways returns the challenges that can prove control as DNS is now. unsure:
// there may be more.
func (p *preflight) ways(ctx context.Context, h Host, ca *authority, s *Settings, r *PreflightReport) (can []string, unsure bool) {
	meant := s.kinds(h)
	var fine struct{ address, written, standing bool }
	if slices.ContainsFunc(meant, byAddress) {
		way := p.reach(ctx, h, ca, s)
		r.Addresses, r.Aliases = way.addresses, way.aliases
		step := PreflightStep{Name: "address", Fine: way.fine, Text: way.text}
		if !way.fine {
			step.Records = way.records
		}
		r.Steps = append(r.Steps, step)
		fine.address, unsure = way.fine, way.unsure
	}
	if slices.Contains(meant, tlsconfig.DNS01) {
		step, doubt, told := p.delegated(ctx, h, s)
		if told || len(meant) == 1 {
			r.Steps = append(r.Steps, step)
		}
		fine.written, unsure = step.Fine, unsure || doubt
	}
	if slices.Contains(meant, tlsconfig.DNSPersist01) {
		step, doubt := p.standing(ctx, h, ca, s, r)
		r.Steps = append(r.Steps, step)
		// An authority that does not answer tells whoever places an order.
		fine.standing, unsure = step.Fine || r.silent != nil, unsure || doubt
	}
	able := map[string]bool{
		tlsconfig.HTTP01: fine.address, tlsconfig.TLSALPN01: fine.address,
		tlsconfig.DNS01: fine.written, tlsconfig.DNSPersist01: fine.standing,
	}
	return slices.DeleteFunc(meant, func(kind string) bool { return !able[kind] }), unsure
}

// byAddress reports whether a challenge is answered at the host's addresses.
func byAddress(kind string) bool { return kind == tlsconfig.HTTP01 || kind == tlsconfig.TLSALPN01 }

// uncovered says why there is no way at all to prove control.
func uncovered(h Host) string {
	if isWildcard(h.Name) {
		return fmt.Sprintf("a wildcard is proved by dns-01 alone, and no dns provider admits the tenant %q", h.Tenant)
	}
	return "none of the challenges that are permitted can work for " + h.Name
}

// delegated looks who writes the records of dns-01. That nobody does is worth
// telling where dns-01 is meant: of a wildcard, of a host in a provider's zone,
// and of one whose owner has begun to delegate it.
func (p *preflight) delegated(ctx context.Context, h Host, s *Settings) (step PreflightStep, unsure, told bool) {
	step.Name = "dns-01"
	_, covered := s.providers.For(h.Tenant, h.Name)
	told = covered || isWildcard(h.Name)
	target, err := s.providers.Target(ctx, s.dns, h.Tenant, h.Name)
	if missing, ok := errors.AsType[*dns01.NotCovered](err); ok {
		step.Text = missing.Why
		if missing.Record != "" {
			step.Records = []string{missing.Record}
		}
		return step, false, told || len(missing.Aliases) > 0
	}
	if err != nil {
		step.Text, unsure = p.silent(ctx, s, err)
		return step, unsure, true
	}
	step.Fine = true
	step.Text = fmt.Sprintf("dns provider %q writes %s", target.Provider.Name(), target.Name)
	return step, false, true
}

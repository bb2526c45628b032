package acme

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/tlsconfig"
)

// fallbackTimeMax bounds the question who a fallback authority is, so that one
// that hangs leaves time for the rest of a look.
const fallbackTimeMax = 5 * time.Second

// permission looks whether CAA lets the authority issue, and by which
// challenges; where it does not, whether it lets another one of the settings.
func (p *preflight) permission(ctx context.Context, h Host, ca *authority, s *Settings, kinds []string, r *PreflightReport) {
	records, at, err := s.dns.CAA(ctx, strings.TrimPrefix(h.Name, "*."))
	switch {
	case err != nil:
		text, unsure := p.silent(ctx, s, err)
		step := PreflightStep{Name: "caa", Text: text + "; an authority that gets no answer about CAA issues nothing"}
		r.Steps = append(r.Steps, step)
		if unsure && r.State == "" {
			r.doubt([]PreflightStep{step})
			return
		}
		r.forbid([]PreflightStep{step})
		return
	case len(records) == 0:
		r.Steps = append(r.Steps, PreflightStep{Name: "caa", Fine: true, Text: "no CAA records; every authority may issue"})
		r.kinds = kinds
		if slices.Contains(kinds, tlsconfig.DNSPersist01) {
			r.note(ca, verdict{kinds: kinds}) // another authority means another record
		}
		return
	}
	before := len(r.Steps)
	q := caaQuestion{records: records, at: at, wildcard: isWildcard(h.Name), kinds: kinds}
	for i, one := range s.after(ca) {
		if i > 0 {
			if q.kinds = p.elsewhere(ctx, h, one, s, kinds, r); len(q.kinds) == 0 {
				continue
			}
		}
		step, v, err := p.judge(ctx, one, q, i > 0)
		r.Steps = append(r.Steps, step)
		if err != nil && i == 0 {
			r.silent = err
			return
		}
		if err != nil {
			continue
		}
		r.note(one, v)
		if len(v.kinds) > 0 {
			if r.State == "" {
				r.from, r.CA, r.kinds = one, one.Name, v.kinds
			}
			return
		}
	}
	r.forbid(r.Steps[before:])
}

// after returns all authorities, beginning with one of them.
func (s *Settings) after(ca *authority) []*authority {
	all := []*authority{ca}
	for _, other := range s.authorities {
		if other.ID != ca.ID {
			all = append(all, other)
		}
	}
	return all
}

// judge asks the CAA records about one authority. The error says that it could
// not be asked who it is.
func (p *preflight) judge(ctx context.Context, ca *authority, q caaQuestion, fallback bool) (step PreflightStep, v verdict, err error) {
	step.Name = "caa"
	if fallback {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, fallbackTimeMax)
		defer cancel()
	}
	said, err := p.describe(ctx, ca)
	if err == nil {
		q.identities = said.CAA
		q.account, err = p.account(ctx, ca)
	}
	if err != nil {
		step.Text = fmt.Sprintf("%s has CAA records; whether they mean %s is not known: %v", q.at, ca.Name, err)
		return step, v, err
	}
	if len(q.identities) == 0 {
		step.Fine, step.Text = true, fmt.Sprintf("%s has CAA records; %s does not say under which name they would mean it", q.at, ca.Name)
		return step, verdict{kinds: q.kinds}, nil
	}
	judged := q.judge()
	if len(judged.kinds) > 0 {
		step.Fine, step.Text = true, fmt.Sprintf("the CAA records of %s let %s issue", q.at, ca.Name)
		return step, verdict{kinds: judged.kinds}, nil
	}
	step.Text = ca.Name + ": " + judged.why
	if judged.record != "" {
		step.Records = []string{judged.record}
	}
	return step, verdict{why: step.Text}, nil
}

// elsewhere returns the challenges that can prove control at a fallback: the
// record of dns-persist-01 that stands is good for the first authority alone.
func (p *preflight) elsewhere(ctx context.Context, h Host, ca *authority, s *Settings, kinds []string, r *PreflightReport) []string {
	if !slices.Contains(kinds, tlsconfig.DNSPersist01) {
		return kinds
	}
	ctx, cancel := context.WithTimeout(ctx, fallbackTimeMax)
	defer cancel()
	var aside PreflightReport // whether a fallback answers is its own affair
	step, _ := p.standing(ctx, h, ca, s, &aside)
	r.Steps = append(r.Steps, step)
	if step.Fine {
		return kinds
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool { return kind == tlsconfig.DNSPersist01 })
}

// note keeps what was found about an authority.
func (r *PreflightReport) note(ca *authority, v verdict) {
	if r.verdicts == nil {
		r.verdicts = map[string]verdict{}
	}
	r.verdicts[ca.ID] = v
}

// forbid says that CAA is in the way, unless something else is already.
func (r *PreflightReport) forbid(steps []PreflightStep) {
	if r.State == "" {
		r.blame(StatePendingCAA, steps)
	}
}

package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/dns01"
	"gatehouse/tlsconfig"
)

const (
	// issuersMost bounds the names of an authority in a challenge: the draft
	// allows ten.
	issuersMost = 10

	// offerAge is how long it is remembered that an authority does not offer
	// dns-persist-01: one order a day is spent on asking again.
	offerAge = 24 * time.Hour
)

// standing looks for the record that the owner sets once for dns-persist-01
// (draft-ietf-acme-dns-persist). It names our account, which is registered
// first. That the authority does not answer is noted in r.
func (p *preflight) standing(ctx context.Context, h Host, ca *authority, s *Settings, r *PreflightReport) (step PreflightStep, unsure bool) {
	step.Name = tlsconfig.DNSPersist01
	if p.lacks(ca) {
		step.Text = ca.Name + " does not offer dns-persist-01; permit another challenge"
		return step, false
	}
	said, err := p.describe(ctx, ca)
	var account string
	if err == nil {
		account, err = p.register(ctx, ca)
	}
	if err != nil {
		r.silent = err
		step.Text = "which record proves control is not known: " + clean(err.Error())
		return step, false
	}
	record, err := unset(ctx, s, dns01.Persist{Host: h.Name, Account: account}, said.CAA, p.now())
	switch {
	case err != nil:
		step.Text, unsure = p.silent(ctx, s, err)
	case len(said.CAA) == 0:
		step.Text = ca.Name + " does not say under which name a record would mean it"
	case record != "":
		step.Text = fmt.Sprintf("no record of %s lets our account with %s prove control", h.Name, ca.Name)
		step.Records = []string{record}
	default:
		step.Fine, step.Text = true, fmt.Sprintf("a standing record of %s lets our account with %s prove control", h.Name, ca.Name)
	}
	return step, unsure
}

// unset returns the record that an owner must set, and nothing where one stands
// that means one of the authority's names.
func unset(ctx context.Context, s *Settings, want dns01.Persist, issuers []string, now time.Time) (record string, err error) {
	for i, issuer := range issuers[:min(len(issuers), issuersMost)] {
		want.Issuer = issuer
		if i == 0 {
			record = clean(want.Record())
		}
		holds, err := want.Holds(ctx, s.dns, now)
		if err != nil {
			return "", err
		}
		if holds {
			return "", nil
		}
	}
	return record, nil
}

// unset says why dns-persist-01 cannot prove control, before an order is spent.
func (o *ordering) unset(ctx context.Context) error {
	if o.client.lacksPersist(o.engine.now()) {
		return errors.New("the authority does not offer dns-persist-01")
	}
	said, err := o.client.describe(ctx)
	if err != nil {
		return err
	}
	return o.stands(ctx, said.CAA)
}

// stands says why the owner's record does not prove control for one of the
// names of the authority.
func (o *ordering) stands(ctx context.Context, issuers []string) error {
	if len(issuers) == 0 {
		return errors.New("the authority does not say under which name a record would mean it")
	}
	record, err := unset(ctx, o.settings, dns01.Persist{Host: o.req.Name, Account: o.account.Location}, issuers, o.engine.now())
	if err == nil && record != "" {
		err = errors.New("its owner must set " + record)
	}
	return err
}

// noteOffer remembers whether the authority offers dns-persist-01, where that is
// wanted.
func (o *ordering) noteOffer(z acmeclient.Authorization) {
	if !slices.Contains(o.settings.challenges, tlsconfig.DNSPersist01) {
		return
	}
	offered := slices.ContainsFunc(z.Challenges, func(c acmeclient.Challenge) bool { return c.Type == tlsconfig.DNSPersist01 })
	if offered {
		o.client.without.Store(0)
	} else {
		o.client.without.Store(o.engine.now().Unix())
	}
}

// lacksPersist reports whether the authority did not offer dns-persist-01 when
// it was last looked for.
func (c *client) lacksPersist(now time.Time) bool {
	at := c.without.Load()
	return at != 0 && now.Sub(time.Unix(at, 0)).Abs() < offerAge
}

// standingSolver answers by a record that is there already.
type standingSolver struct{}

// Present implements acmez.Solver.
func (standingSolver) Present(context.Context, acmeclient.Challenge) error { return nil }

// CleanUp implements acmez.Solver.
func (standingSolver) CleanUp(context.Context, acmeclient.Challenge) error { return nil }

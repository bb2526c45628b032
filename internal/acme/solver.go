package acme

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mholt/acmez/v3"
	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/dns01"
)

// solver returns who answers a challenge for the name.
func (o *ordering) solver(ctx context.Context, challenge acmeclient.Challenge) (acmez.Solver, error) {
	switch challenge.Type {
	case acmeclient.ChallengeTypeHTTP01:
		return &listenerSolver{present: o.presentHTTP}, nil
	case acmeclient.ChallengeTypeTLSALPN01:
		return &listenerSolver{present: o.presentALPN}, nil
	case acmeclient.ChallengeTypeDNS01:
		return o.settings.dnsSolver(ctx, o.req.Host)
	case acmeclient.ChallengeTypeDNSPersist01:
		return standingSolver{}, o.stands(ctx, challenge.IssuerDomainNames)
	}
	return nil, fmt.Errorf("%q is not a challenge that is answered here", challenge.Type)
}

// kinds are the challenges that the order may be proved by, in order of
// preference: those of the settings that DNS and CAA leave.
func (o *ordering) kinds() []string {
	kinds := o.settings.kinds(o.req.Host)
	if o.req.Challenges == nil {
		return kinds
	}
	return slices.DeleteFunc(kinds, func(kind string) bool { return !slices.Contains(o.req.Challenges, kind) })
}

// able refuses a name that nothing here can prove control of, before an order
// is spent on it.
func (o *ordering) able(ctx context.Context) error {
	kinds := o.kinds()
	if len(kinds) == 0 {
		what := "no challenge is permitted that could be answered here"
		if isWildcard(o.req.Name) {
			what = fmt.Sprintf("a wildcard needs dns-01, and no dns provider admits the tenant %q", o.req.Tenant)
		}
		return &problem{Doing: "prove control", CA: o.req.CA.Name, Cause: causeHost, Detail: what}
	}
	if slices.ContainsFunc(kinds, byAddress) {
		return nil
	}
	var why []string
	for _, kind := range kinds {
		err := o.unwritten(ctx, kind)
		if err == nil {
			return nil
		}
		why = append(why, clean(err.Error()))
	}
	return &problem{Doing: "find the record that proves control", CA: o.req.CA.Name, Cause: causeHost, Detail: strings.Join(why, "; ")}
}

// unwritten says why a record that proves control cannot be had.
func (o *ordering) unwritten(ctx context.Context, kind string) error {
	if kind == acmeclient.ChallengeTypeDNSPersist01 {
		return o.unset(ctx)
	}
	_, err := o.settings.dnsSolver(ctx, o.req.Host)
	if nowhere, ok := errors.AsType[*dns01.NotCovered](err); ok && nowhere.Record != "" {
		return fmt.Errorf("%w; its owner can set %s", err, nowhere.Record)
	}
	return err
}

// listenerSolver lets our own listeners answer.
type listenerSolver struct {
	present  func(acmeclient.Challenge) (withdraw func(), err error)
	withdraw func()
}

// Present implements acmez.Solver.
func (s *listenerSolver) Present(_ context.Context, challenge acmeclient.Challenge) (err error) {
	s.withdraw, err = s.present(challenge)
	return err
}

// CleanUp implements acmez.Solver.
func (s *listenerSolver) CleanUp(context.Context, acmeclient.Challenge) error {
	if s.withdraw != nil {
		s.withdraw()
	}
	return nil
}

func (o *ordering) presentHTTP(challenge acmeclient.Challenge) (func(), error) {
	return o.engine.challenges.presentHTTP(o.req.Name, challenge.Token, challenge.KeyAuthorization), nil
}

func (o *ordering) presentALPN(challenge acmeclient.Challenge) (func(), error) {
	// The identifier is the authority's word; the name is ours.
	challenge.Identifier = acmeclient.Identifier{Type: "dns", Value: o.req.Name}
	certificate, err := acmez.TLSALPN01ChallengeCert(challenge)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of the challenge: %w", err)
	}
	return o.engine.challenges.presentALPN(o.req.Name, certificate), nil
}

// isWildcard reports whether name is "*.x", which dns-01 alone can prove.
func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

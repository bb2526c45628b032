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

// solver returns who answers challenges of a kind for the name.
func (o *ordering) solver(ctx context.Context, kind string) (acmez.Solver, error) {
	switch kind {
	case acmeclient.ChallengeTypeHTTP01:
		return &listenerSolver{present: o.presentHTTP}, nil
	case acmeclient.ChallengeTypeTLSALPN01:
		return &listenerSolver{present: o.presentALPN}, nil
	case acmeclient.ChallengeTypeDNS01:
		return o.settings.dnsSolver(ctx, o.req.Host)
	}
	return nil, fmt.Errorf("%q is not a challenge that is answered here", kind)
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
	if len(kinds) > 1 || kinds[0] != acmeclient.ChallengeTypeDNS01 {
		return nil
	}
	_, err := o.settings.dnsSolver(ctx, o.req.Host)
	if err == nil {
		return nil
	}
	p := &problem{Doing: "find out where the record for dns-01 is written", CA: o.req.CA.Name, Cause: causeHost, Detail: clean(err.Error()), err: err}
	var nowhere *dns01.NotCovered
	if errors.As(err, &nowhere) && nowhere.Record != "" {
		p.Detail += "; its owner can set " + clean(nowhere.Record)
	}
	return p
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

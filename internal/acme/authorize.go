package acme

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"
	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/tlsconfig"
)

// authorizationTimeMax bounds the wait for an authority to look at an answer:
// Let's Encrypt takes seconds, from several places. An authorization that stays
// pending is waited for again by the next attempt.
const authorizationTimeMax = 2 * time.Minute

// authorize proves control of the name.
func (o *ordering) authorize(ctx context.Context, at acmeclient.Order) error {
	if len(at.Authorizations) > authorizationsMost {
		o.abandon(ctx)
		return &problem{Doing: "prove control", CA: o.client.authority.Name, Cause: causeAuthority, Detail: fmt.Sprintf("%d authorizations for one name", len(at.Authorizations))}
	}
	for _, url := range at.Authorizations {
		if err := o.prove(ctx, url); err != nil {
			return err
		}
	}
	return nil
}

// prove answers one authorization, unless it is valid already.
func (o *ordering) prove(ctx context.Context, url string) error {
	heard, said := listen(ctx)
	z, err := o.client.acme.GetAuthorization(heard, o.account, url)
	if err != nil {
		return judge("read the authorization", o.client.authority, said, err).kept()
	}
	switch z.Status {
	case acmeclient.StatusValid:
		return nil
	case acmeclient.StatusPending:
	default:
		return o.refused(ctx, z)
	}
	o.noteOffer(z)
	solver, challenge, err := o.choose(ctx, z)
	if err != nil {
		return err
	}
	return o.answer(ctx, z, solver, challenge)
}

// answer presents the answer to a challenge, tells the authority, and waits for
// its verdict. The answer is taken back whatever happens.
func (o *ordering) answer(ctx context.Context, z acmeclient.Authorization, solver acmez.Solver, challenge acmeclient.Challenge) error {
	doing := "answer " + challenge.Type
	defer func() {
		if err := solver.CleanUp(context.WithoutCancel(ctx), challenge); err != nil {
			o.engine.log.WarnContext(ctx, "the answer to a challenge was not taken back", "host", o.req.Name, "challenge", challenge.Type, "cause", clean(err.Error()))
		}
	}()
	if err := solver.Present(ctx, challenge); err != nil {
		return o.unpresented(doing, err)
	}
	if waiter, ok := solver.(acmez.Waiter); ok {
		if err := waiter.Wait(ctx, challenge); err != nil {
			return o.unpresented(doing, err)
		}
	}
	// An attempt that was cut off may have told the authority already.
	if challenge.Status == acmeclient.StatusPending {
		heard, said := listen(ctx)
		if _, err := o.client.acme.InitiateChallenge(heard, o.account, challenge); err != nil {
			return judge(doing, o.client.authority, said, err).kept()
		}
	}
	return o.await(ctx, doing, z.Location)
}

// unpresented is a problem of ours, or of a DNS provider: the authority has not
// looked yet, and the order lives on.
func (o *ordering) unpresented(doing string, err error) error {
	p := localProblem(doing, err)
	p.CA = o.client.authority.Name
	return p
}

// await waits for the verdict about an authorization.
func (o *ordering) await(ctx context.Context, doing, url string) error {
	until := o.engine.now().Add(authorizationTimeMax)
	for pause := pollWaitFirst; ; pause = min(2*pause, pollWaitMax) {
		heard, said := listen(ctx)
		z, err := o.client.acme.GetAuthorization(heard, o.account, url)
		if err != nil {
			return judge(doing, o.client.authority, said, err).kept()
		}
		switch z.Status {
		case acmeclient.StatusValid:
			return nil
		case acmeclient.StatusPending, acmeclient.StatusProcessing:
		default:
			return o.refused(ctx, z)
		}
		if !o.engine.now().Before(until) {
			p := &problem{Doing: doing, CA: o.client.authority.Name, Cause: causeAuthority, Stalled: true, Detail: fmt.Sprintf("no verdict after %s; the order is taken up again", authorizationTimeMax)}
			return p.kept()
		}
		if err := wait(ctx, said.pause(pause)); err != nil {
			return localProblem(doing, err)
		}
	}
}

// refused hands on why an authorization is not valid. Its order is dead.
func (o *ordering) refused(ctx context.Context, z acmeclient.Authorization) error {
	o.abandon(ctx)
	for _, challenge := range z.Challenges {
		if challenge.Error != nil {
			return judge("answer "+clean(challenge.Type), o.client.authority, nil, *challenge.Error)
		}
	}
	return &problem{Doing: "prove control", CA: o.client.authority.Name, Cause: causeHost, Detail: "the authorization is " + clean(z.Status)}
}

// choose picks the challenge to answer: one that the authority looks at
// already, else by preference, beginning further on with each failed attempt.
func (o *ordering) choose(ctx context.Context, z acmeclient.Authorization) (acmez.Solver, acmeclient.Challenge, error) {
	kinds := o.kinds()
	if n := len(kinds); n > 0 {
		shift := o.req.Attempt % n
		kinds = slices.Concat(kinds[shift:], kinds[:shift])
	}
	var why []string
	for _, begun := range []bool{true, false} {
		for _, kind := range kinds {
			i := slices.IndexFunc(z.Challenges, func(c acmeclient.Challenge) bool {
				return c.Type == kind && (isToken(c.Token) || kind == tlsconfig.DNSPersist01) && (c.Status == acmeclient.StatusProcessing) == begun
			})
			if i < 0 {
				continue
			}
			solver, err := o.solver(ctx, z.Challenges[i])
			if err == nil {
				return solver, z.Challenges[i], nil
			}
			why = append(why, kind+": "+clean(err.Error()))
		}
	}
	o.abandon(ctx)
	p := &problem{Doing: "prove control", CA: o.client.authority.Name, Cause: causeHost, Detail: "no challenge that the authority offers can be answered here; it offers " + offered(z)}
	p.Subproblems = why
	return nil, acmeclient.Challenge{}, p
}

// offered lists what an authority offers, bounded.
func offered(z acmeclient.Authorization) string {
	var kinds []string
	for _, c := range z.Challenges {
		kinds = append(kinds, c.Type)
	}
	return clean(strings.Join(kinds, ", "))
}

// isToken reports whether a token is one (RFC 8555 section 8.1): it becomes
// part of a path and of a DNS record.
func isToken(text string) bool {
	return text != "" && len(text) <= tokenBytesMax && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// tokenBytesMax bounds a token: Let's Encrypt's have 43 characters.
const tokenBytesMax = 256

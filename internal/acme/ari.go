package acme

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"time"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

const (
	// windowAgainLeast and windowAgainMost bound when a window is asked for
	// again (RFC 9773 section 4.3.2).
	windowAgainLeast = time.Minute
	windowAgainMost  = 24 * time.Hour

	// windowAgain is when, where the authority does not say: as Let's Encrypt
	// does.
	windowAgain = 6 * time.Hour

	windowTimeMax = time.Minute // for one question, its repetitions included
)

// window asks when the authority wants the certificate renewed (RFC 9773). The
// zero window: it does not do that. The moment that was chosen stays while the
// window does. It spends nothing.
func (e *engine) window(ctx context.Context, b *bundle) (ariWindow, error) {
	const doing = "ask for the renewal window"
	c, err := e.issuer(b)
	if err != nil {
		return ariWindow{}, err
	}
	leaf, err := b.leaf()
	if err != nil {
		return ariWindow{}, localProblem(doing, err)
	}
	ctx, cancel := context.WithTimeout(ctx, windowTimeMax)
	defer cancel()
	ctx, said := listen(ctx)
	info, err := c.acme.GetRenewalInfo(ctx, leaf)
	if errors.Is(err, acmeclient.ErrUnsupported) {
		return ariWindow{}, nil
	}
	if err != nil {
		return ariWindow{}, judge(doing, c.authority, said, err)
	}
	return windowOf(&info, b.Window, e.now()), nil
}

// issuer returns the client of the authority that issued a certificate, if the
// settings still have it.
func (e *engine) issuer(b *bundle) (*client, error) {
	for _, a := range e.settings.Load().authorities {
		if a.ID == b.CAID {
			return e.client(a), nil
		}
	}
	return nil, &problem{Doing: "ask about the certificate", CA: b.CA, Cause: causeRequest, Detail: "the configuration does not have this authority any more"}
}

// windowOf bounds what an authority said. A window that is none is no window.
func windowOf(info *acmeclient.RenewalInfo, before ariWindow, now time.Time) ariWindow {
	w := ariWindow{
		Start: info.SuggestedWindow.Start.UTC(), End: info.SuggestedWindow.End.UTC(),
		Explanation: clean(info.ExplanationURL),
	}
	again := windowAgain
	if info.RetryAfter != nil {
		again = min(max(info.RetryAfter.Sub(now), windowAgainLeast), windowAgainMost)
	}
	w.Again = now.Add(again)
	if info.SuggestedWindow.Start.IsZero() || !w.Start.Before(w.End) {
		return ariWindow{Again: w.Again}
	}
	w.Chosen = before.Chosen
	if !w.Start.Equal(before.Start) || !w.End.Equal(before.End) || before.Chosen.IsZero() {
		w.Chosen = w.Start.Add(below(w.End.Sub(w.Start)))
	}
	return w
}

// below is a random duration below d, which is above zero.
func below(d time.Duration) time.Duration {
	n, err := rand.Int(rand.Reader, big.NewInt(int64(d)))
	if err != nil {
		return d / 2
	}
	return time.Duration(n.Int64())
}

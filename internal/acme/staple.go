package acme

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// stapleBytesMax bounds an OCSP answer, which goes into every handshake:
	// with a delegated signer's certificate one has 2 KiB.
	stapleBytesMax = 16 << 10

	stapleTimeMax = 20 * time.Second // for one question

	// stapleAgainMost bounds how long one answer is shown without asking for the
	// next: responders of public authorities stand by theirs for a week.
	stapleAgainMost  = 3 * 24 * time.Hour
	stapleAgainLeast = 10 * time.Minute
)

// errRevoked says that the authority has revoked the certificate: it must be
// replaced at once.
var errRevoked = errors.New("the authority has revoked the certificate")

// staple asks the certificate's OCSP responder (RFC 6960). It returns the answer
// and when to ask for the next one; none where the certificate names no
// responder. errRevoked is matched where it is revoked.
func (e *engine) staple(ctx context.Context, b *bundle) (staple, error) {
	leaf, err := b.leaf()
	if err != nil || len(leaf.OCSPServer) == 0 || len(b.Chain) < 2 {
		return staple{}, err
	}
	issuer, err := x509.ParseCertificate(b.Chain[1])
	if err != nil {
		return staple{}, fmt.Errorf("the issuer of the certificate of %q: %w", b.Name, err)
	}
	question, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return staple{}, fmt.Errorf("OCSP question about the certificate of %q: %w", b.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, stapleTimeMax)
	defer cancel()
	der, err := e.askResponder(ctx, leaf.OCSPServer[0], question)
	if err != nil {
		return staple{}, fmt.Errorf("OCSP responder of the certificate of %q: %w", b.Name, err)
	}
	s, err := readStaple(der, leaf, issuer, e.now())
	if err != nil {
		return staple{}, fmt.Errorf("OCSP answer about the certificate of %q: %w", b.Name, err)
	}
	return s, nil
}

// askResponder posts a question (RFC 6960 appendix A.1). Responders speak plain
// HTTP: their answers are signed.
func (e *engine) askResponder(ctx context.Context, responder string, question []byte) ([]byte, error) {
	u, err := url.Parse(responder)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || len(responder) > urlBytesMax {
		return nil, fmt.Errorf("%q is not a URL of a responder", clean(responder))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, responder, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	r.Header.Set("User-Agent", userAgent)
	res, err := e.responders.Do(r)
	if err != nil {
		return nil, errors.New(clean(plain(err)))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers HTTP %d", res.StatusCode)
	}
	der, err := io.ReadAll(io.LimitReader(res.Body, stapleBytesMax+1))
	if err == nil && len(der) > stapleBytesMax {
		err = fmt.Errorf("the answer has more than %d bytes", stapleBytesMax)
	}
	return der, err
}

// newResponders is the client for OCSP: no redirects, nothing kept open.
func newResponders() *http.Client {
	return &http.Client{
		Timeout:       stapleTimeMax,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, TLSHandshakeTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readStaple verifies an answer and reads its dates.
func readStaple(der []byte, leaf, issuer *x509.Certificate, now time.Time) (staple, error) {
	a, err := ocsp.ParseResponseForCert(der, leaf, issuer)
	if err != nil {
		return staple{}, err
	}
	switch {
	case a.Status == ocsp.Revoked:
		return staple{}, fmt.Errorf("%w on %s", errRevoked, a.RevokedAt.UTC().Format(time.RFC3339))
	case a.Status != ocsp.Good:
		return staple{}, errors.New("the responder does not know the certificate")
	case !a.NextUpdate.IsZero() && !now.Before(a.NextUpdate):
		return staple{}, fmt.Errorf("the answer ended on %s", a.NextUpdate.UTC().Format(time.RFC3339))
	case now.Before(a.ThisUpdate.Add(-clockSkewMost)):
		return staple{}, fmt.Errorf("the answer begins on %s only", a.ThisUpdate.UTC().Format(time.RFC3339))
	}
	s := staple{Response: der, Until: a.NextUpdate.UTC()}
	again := stapleAgainMost
	if !a.NextUpdate.IsZero() {
		again = min(a.NextUpdate.Sub(now)/2, again)
	} else {
		s.Until = now.Add(stapleAgainMost)
	}
	s.Again = now.Add(max(again, stapleAgainLeast))
	return s, nil
}

// noteNoOCSP remembers that an authority issues without a responder.
func (e *engine) noteNoOCSP(ctx context.Context, c *client) error {
	end, err := c.account.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if c.account.current == nil {
		return nil
	}
	next := *c.account.current
	next.NoOCSP = true
	if err := e.keepAccount(ctx, c.authority, &next); err != nil {
		return localProblem("store the account", err)
	}
	c.account.current = &next
	return nil
}

package acme

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
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

	windowTimeMax = 10 * time.Second // for one question

	// windowLengthMax bounds a window: no certificate lives longer.
	windowLengthMax = 400 * 24 * time.Hour
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
	info, err := c.renewalInfo(ctx, leaf)
	if err != nil {
		return ariWindow{}, err
	}
	return info.window(b.Window, e.now()), nil
}

// renewalInfo is an authority's answer about a certificate (RFC 9773 section
// 4.2). The zero value: it does not give any.
type renewalInfo struct {
	Suggested struct {
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	} `json:"suggestedWindow"`
	Explanation string `json:"explanationURL"`

	again time.Duration
}

// renewalInfo asks once: the ACME client's own question sleeps for seconds
// where it fails.
func (c *client) renewalInfo(ctx context.Context, leaf *x509.Certificate) (info renewalInfo, err error) {
	const doing = "ask for the renewal window"
	ctx, cancel := context.WithTimeout(ctx, windowTimeMax)
	defer cancel()
	if _, err := c.describe(ctx); err != nil {
		return info, err
	}
	ctx, said := listen(ctx)
	d, err := c.acme.GetDirectory(ctx)
	if err != nil {
		return info, judge(doing, c.authority, said, err)
	}
	if d.RenewalInfo == "" {
		return info, nil
	}
	id, err := acmeclient.ARIUniqueIdentifier(leaf)
	if err != nil {
		return info, localProblem(doing, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.RenewalInfo+"/"+id, nil)
	if err != nil {
		return info, judge(doing, c.authority, said, err)
	}
	r.Header.Set("User-Agent", userAgent)
	res, err := c.http.Do(r)
	if err != nil {
		return info, judge(doing, c.authority, said, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return info, judge(doing, c.authority, said, fmt.Errorf("it answers HTTP %d", res.StatusCode))
	}
	if err := json.NewDecoder(res.Body).Decode(&info); err != nil {
		return info, judge(doing, c.authority, said, err)
	}
	info.again = windowAgain
	if said.wait > 0 {
		info.again = min(max(said.wait, windowAgainLeast), windowAgainMost)
	}
	return info, nil
}

// noWindow is what the ACME client hears that asks for a renewal window along
// with each download. We ask by ourselves, and what it hears is not used.
func noWindow(r *http.Request) *http.Response {
	const text = `{"suggestedWindow":{"start":"2000-01-01T00:00:00Z","end":"2000-01-02T00:00:00Z"}}`
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: int64(len(text)),
	}
}

// issuer returns the client of the authority that issued a certificate, if the
// settings still have it.
func (e *engine) issuer(b *bundle) (*client, error) {
	for _, a := range e.authorities() {
		if a.ID == b.CAID {
			return e.client(a), nil
		}
	}
	if b.CAID == "" {
		return nil, &problem{Doing: "ask about the certificate", Cause: causeRequest, Detail: "it was imported, and which authority issued it is not known here; ask whoever it came from"}
	}
	return nil, &problem{Doing: "ask about the certificate", CA: b.CA, Cause: causeRequest, Detail: "the configuration does not have this authority any more"}
}

// window bounds what an authority said. A window that is none is no window.
func (i *renewalInfo) window(before ariWindow, now time.Time) ariWindow {
	if i.again == 0 {
		return ariWindow{}
	}
	w := ariWindow{Again: now.Add(i.again)}
	start, end := i.Suggested.Start.UTC(), i.Suggested.End.UTC()
	if start.IsZero() || !start.Before(end) || end.Sub(start) > windowLengthMax {
		return w
	}
	w.Start, w.End, w.Explanation = start, end, clean(i.Explanation)
	w.Chosen = before.Chosen
	if !w.Start.Equal(before.Start) || !w.End.Equal(before.End) || before.Chosen.IsZero() {
		w.Chosen = start.Add(below(end.Sub(start)))
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

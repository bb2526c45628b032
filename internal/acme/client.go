package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

const (
	// answerBytesMax bounds what is read of any answer: a chain of ten
	// certificates with RSA keys has less than 64 KiB, a page of orders less
	// than 256.
	answerBytesMax = 512 << 10

	// urlBytesMax bounds the URLs that an authority hands out; Let's Encrypt's
	// have less than 100 bytes.
	urlBytesMax = 2048

	// callTimeMax bounds one exchange with an authority. Answers to newOrder and
	// finalize take seconds when one is busy.
	callTimeMax = 45 * time.Second

	// pollWaitMax bounds the pause that an authority asks for while an order is
	// in progress.
	pollWaitMax = 15 * time.Second

	// pollWaitFirst is the first pause where it asks for none; each further one
	// is twice as long.
	pollWaitFirst = 100 * time.Millisecond

	// finalizeWait is the pause while a certificate is made, where none is asked
	// for.
	finalizeWait = 250 * time.Millisecond

	// retryWait is the pause before a question is repeated that had no answer.
	retryWait = 250 * time.Millisecond

	// finalizeTimeMax bounds the wait for a certificate once control is proved.
	finalizeTimeMax = 5 * time.Minute

	// clockSkewMost is how far our clock may be from an authority's before it is
	// said: half of what Let's Encrypt dates certificates back.
	clockSkewMost = 30 * time.Minute

	idleConnectionsMax = 16 // to one authority; more orders at a time are rare
)

const userAgent = "gatehouse"

// client speaks with one authority. It is safe for concurrent use.
type client struct {
	authority *authority
	http      *http.Client
	guard     *guard
	acme      *acmeclient.Client
	account   accountState
	directory directoryState
	without   atomic.Int64 // Unix time, s, of the last authorization without dns-persist-01; 0: it was offered, or never looked for
}

func newClient(a *authority, now func() time.Time) *client {
	g := &guard{now: now, directory: a.Directory, inner: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		TLSClientConfig:       &tls.Config{RootCAs: a.roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   idleConnectionsMax,
		IdleConnTimeout:       time.Minute,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: callTimeMax,
	}}
	h := &http.Client{
		Transport: g,
		Timeout:   callTimeMax,
		// A redirect would lead signed requests to where the directory does not.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &client{
		authority: a, http: h, guard: g,
		acme: &acmeclient.Client{
			Directory: a.Directory, HTTPClient: h, UserAgent: userAgent,
			PollInterval: finalizeWait, PollTimeout: finalizeTimeMax,
		},
		account:   accountState{turn: make(chan struct{}, 1)},
		directory: directoryState{turn: make(chan struct{}, 1)},
	}
}

// close lets go of idle connections.
func (c *client) close() { c.guard.inner.CloseIdleConnections() }

// guard stands between the ACME libraries and the network. They trust an
// authority with memory and time; it does not.
type guard struct {
	inner *http.Transport
	now   func() time.Time
	skew  atomic.Int64 // the authority's clock less ours, nanoseconds

	directory string // its URL
	silence   atomic.Pointer[silence]
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("the authority leads to %q; ACME is https alone (RFC 8555 section 6.1)", clean(r.URL.String()))
	}
	said := answerIn(r.Context())
	if err := said.refuseAgain(r); err != nil {
		return nil, err
	}
	if said != nil && said.alone && r.Method == http.MethodGet {
		return noWindow(r), nil
	}
	if err := g.foundSilent(r); err != nil {
		said.failed(g, r, err)
		return nil, err
	}
	res, err := g.inner.RoundTrip(r)
	if err != nil {
		g.noteSilence(r, err)
		said.failed(g, r, err)
		return nil, err
	}
	if len(res.Header.Get("Location")) > urlBytesMax {
		res.Body.Close()
		return nil, errors.New("the authority's answer has a Location beyond all measure")
	}
	g.noteClock(res)
	said.note(res, g)
	g.bound(res)
	said.listen(res)
	return res, nil
}

// noteClock compares clocks: most of what a wrong one breaks is not told by
// its error.
func (g *guard) noteClock(res *http.Response) {
	if theirs, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		g.skew.Store(int64(theirs.Sub(g.now())))
	}
}

// bound cuts an answer to what an honest one has.
func (g *guard) bound(res *http.Response) {
	// Links lead to further chains and pages, without end if an authority likes.
	res.Header.Del("Link")
	if wait, ok := parseRetryAfter(res.Header.Get("Retry-After"), g.now()); !ok {
		res.Header.Del("Retry-After")
	} else if res.StatusCode < 300 {
		res.Header.Set("Retry-After", strconv.Itoa(int(min(wait, pollWaitMax)/time.Second)))
	} else {
		res.Header.Set("Retry-After", strconv.Itoa(int(boundedWait(wait)/time.Second)))
	}
	res.Body = &boundedBody{inner: res.Body, left: answerBytesMax}
}

// boundedBody fails where an answer goes on beyond its bound.
type boundedBody struct {
	inner io.ReadCloser
	left  int
	tap   *[]byte // a copy of what is read, where somebody wants it
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the authority's answer has more than %d bytes", answerBytesMax)
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.inner.Read(p)
	b.left -= n
	if b.tap != nil {
		*b.tap = append(*b.tap, p[:n]...)
	}
	return n, err
}

// Close implements io.Closer.
func (b *boundedBody) Close() error { return b.inner.Close() }

// parseRetryAfter reads seconds or a date (RFC 9110 section 10.2.3).
func parseRetryAfter(text string, now time.Time) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

// answer is what the ACME libraries do not hand on of an authority's last
// answer. A nil answer notes nothing.
type answer struct {
	code  int
	wait  time.Duration
	guard *guard
	body  []byte // of the last answer, where keep is set
	keep  bool
	alone bool  // of a download: nothing else is asked along with it
	once  bool  // a POST whose fate is unknown is not repeated
	lost  error // why the fate of one is unknown
}

type answerKey struct{}

// listen returns a context whose exchanges are noted in the answer.
func listen(ctx context.Context) (context.Context, *answer) {
	said := new(answer)
	return context.WithValue(ctx, answerKey{}, said), said
}

func answerIn(ctx context.Context) *answer {
	said, _ := ctx.Value(answerKey{}).(*answer)
	return said
}

func (a *answer) note(res *http.Response, g *guard) {
	if a == nil {
		return
	}
	a.guard, a.code = g, res.StatusCode
	if a.once && res.Request.Method == http.MethodPost && res.StatusCode >= 500 {
		a.lost = fmt.Errorf("it answers HTTP %d", res.StatusCode)
	}
	a.wait, _ = parseRetryAfter(res.Header.Get("Retry-After"), g.now())
}

// listen keeps a copy of the answer's body, where somebody wants it.
func (a *answer) listen(res *http.Response) {
	if a != nil && a.keep {
		a.body = nil
		res.Body.(*boundedBody).tap = &a.body
	}
}

func (a *answer) failed(g *guard, r *http.Request, err error) {
	if a == nil {
		return
	}
	a.guard, a.code, a.wait, a.body = g, 0, 0, nil
	var dialled *net.OpError
	if a.once && r.Method == http.MethodPost && !(errors.As(err, &dialled) && dialled.Op == "dial") {
		a.lost = err
	}
}

// refuseAgain keeps the ACME client from repeating a POST that may have had its
// effect: each repetition of newOrder is one more order.
func (a *answer) refuseAgain(r *http.Request) error {
	if a == nil || r.Method != http.MethodPost {
		return nil
	}
	return a.lost
}

// retryAfter is how long the authority sends us away; 0 where it does not say.
func (a *answer) retryAfter() time.Duration {
	if a == nil || a.code < 400 {
		return 0
	}
	return boundedWait(a.wait)
}

// pause is how long to wait before asking again, while an order goes its way.
func (a *answer) pause(least time.Duration) time.Duration {
	if a == nil {
		return least
	}
	return min(max(a.wait, least), pollWaitMax)
}

func (a *answer) status() int {
	if a == nil {
		return 0
	}
	return a.code
}

// clockHint says that a clock may be wrong, where the error or the distance to
// the authority's clock hints at it.
func (a *answer) clockHint(err error) string {
	var bad x509.CertificateInvalidError
	if errors.As(err, &bad) && bad.Reason == x509.Expired {
		return "is the clock of this machine right?"
	}
	if a == nil || a.guard == nil {
		return ""
	}
	return a.guard.clockHint()
}

// clockHint says how far the clocks are apart, if that is far.
func (g *guard) clockHint() string {
	skew := time.Duration(g.skew.Load())
	if skew.Abs() < clockSkewMost {
		return ""
	}
	way := "behind"
	if skew < 0 {
		way = "ahead of"
	}
	return strings.TrimSpace(fmt.Sprintf("the clock of this machine is %s %s the authority's", skew.Abs().Round(time.Minute), way))
}

// wait pauses, or returns early with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package acme

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// probeTimeMax bounds one probe: authorities give up after ten seconds.
	probeTimeMax = 5 * time.Second

	// probeAnswerMax bounds what is read of an answer: ours has half as many
	// bytes.
	probeAnswerMax = 256

	// probeHeadMax bounds the head of an answer.
	probeHeadMax = 8 << 10

	// probePort is where authorities look, whatever our listener's port is.
	probePort = "80"
)

// probe asks an address for a token as an authority would, and looks whether it
// is us who answer. Address translation and balancers are seen through in this
// way. The answer of a stranger is neither followed nor shown.
func (p *preflight) probe(ctx context.Context, host string, a netip.Addr) (reaches bool, why string) {
	token, answer := rand.Text(), rand.Text()
	withdraw := p.offer(host, token, answer)
	defer withdraw()
	ctx, cancel := context.WithTimeout(ctx, probeTimeMax)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/.well-known/acme-challenge/"+token, http.NoBody)
	if err != nil {
		return false, "not ours"
	}
	q.Header.Set("User-Agent", userAgent)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return p.dial(ctx, "tcp", net.JoinHostPort(a.String(), probePort))
		},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: probeHeadMax,
	}
	// Not a Client: it would follow a redirect.
	got, err := transport.RoundTrip(q)
	if err != nil {
		return false, "not ours; port 80 " + unanswered(ctx, err)
	}
	defer got.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(got.Body, probeAnswerMax))
	if got.StatusCode != http.StatusOK || string(body) != answer {
		return false, fmt.Sprintf("not ours; somebody else answers at port 80, with status %d", got.StatusCode)
	}
	return true, "not of this machine, and we answer there"
}

// unanswered says in words why a probe has no answer.
func unanswered(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "does not answer"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return "cannot be reached"
	}
	return "does not speak HTTP"
}

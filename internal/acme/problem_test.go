package acme

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

func TestJudge(t *testing.T) {
	ca := &authority{Name: "letsencrypt"}
	word := func(kind string, status int) error {
		return fmt.Errorf("attempt 1: %w", acmeclient.Problem{Type: acmeclient.ProblemTypeNamespace + kind, Status: status, Detail: "because"})
	}
	for name, c := range map[string]struct {
		err       error
		cause     cause
		elsewhere bool
		text      string
	}{
		"limit":       {word("rateLimited", 429), causeLimit, true, "letsencrypt: place an order: because (rateLimited)"},
		"nobody here": {word("connection", 400), causeHost, false, "letsencrypt: place an order: because (connection)"},
		"caa":         {word("caa", 403), causeHost, true, "letsencrypt: place an order: because (caa)"},
		"terms":       {word("userActionRequired", 403), causeAccount, true, "letsencrypt: place an order: because (userActionRequired)"},
		"nonces":      {word("badNonce", 400), causeAuthority, true, "letsencrypt: place an order: because (badNonce)"},
		"csr":         {word("badCSR", 400), causeRequest, false, "letsencrypt: place an order: because (badCSR)"},
		"unknown":     {word("fullMoon", 503), causeAuthority, true, "letsencrypt: place an order: because (fullMoon)"},
		"stopped":     {fmt.Errorf("post: %w", context.Canceled), causeStopped, false, "letsencrypt: place an order: stopped before it was done"},
		"late":        {fmt.Errorf("post: %w", context.DeadlineExceeded), causeAuthority, true, "letsencrypt: place an order: no end within the time for it"},
		"network":     {fmt.Errorf("performing request: %w", errors.New("no route to host")), causeAuthority, true, "letsencrypt: place an order: no route to host"},
		"no reason":   {fmt.Errorf("final order is invalid: %w", (*acmeclient.Problem)(nil)), causeAuthority, true, ""},
	} {
		p := judge("place an order", ca, nil, c.err)
		if p.Cause != c.cause || p.elsewhere() != c.elsewhere || c.text != "" && p.Error() != c.text {
			t.Errorf("%s: %s, elsewhere %t, %q; want %s, %t, %q", name, p.Cause, p.elsewhere(), p, c.cause, c.elsewhere, c.text)
		}
	}
	known := &problem{Doing: "x"}
	if judge("y", ca, nil, fmt.Errorf("wrapped: %w", known)) != known || asProblem(known) != known {
		t.Error("a problem is made a problem once more")
	}
	if p := asProblem(errors.New("disk")); p.Cause != causeHere || !p.Kept {
		t.Errorf("%+v", p)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("so\nit \x1b[31mgoes")
	f.Add(strings.Repeat("ü", 400))
	f.Add("\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		got := clean(text)
		if len(got) > problemTextMax+len("…") || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\r\x1b\x00\u202e") {
			t.Errorf("clean(%q) = %q", text, got)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, seed := range []string{"120", "-1", "4294967296", "Sun, 22 Nov 2026 01:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := parseRetryAfter(text, now)
		if d < 0 || !ok && d != 0 || boundedWait(d) > retryAfterMax {
			t.Errorf("parseRetryAfter(%q) = %s, %t", text, d, ok)
		}
		said := &answer{code: http.StatusTooManyRequests, wait: d}
		if got := said.pause(pollWaitFirst); got < pollWaitFirst || got > pollWaitMax {
			t.Errorf("a pause of %s", got)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(`{"name":"a.example","chain":["AQ=="],"key":"AQ=="}`))
	f.Add([]byte(`{"name":"b.example"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, blob []byte) {
		b, err := parseBundle("a.example", blob)
		if err == nil && (b.Name != "a.example" || len(b.Chain) == 0 || len(b.Key) == 0) {
			t.Errorf("%q is a bundle", blob)
		}
	})
}

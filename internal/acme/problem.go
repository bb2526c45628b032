package acme

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

const (
	// problemTextMax bounds what is kept of an authority's words: Let's
	// Encrypt's longest explanations have a few hundred bytes.
	problemTextMax = 600

	// subproblemsMax bounds them: an order here has one name.
	subproblemsMax = 4

	// retryAfterMax bounds how long an authority may send us away: its longest
	// published limit refills in a week.
	retryAfterMax = 8 * 24 * time.Hour
)

// cause is whose business a problem is, and with that what may help.
type cause uint8

const (
	causeAuthority cause = iota // it is down or out of order: again later, or elsewhere
	causeLimit                  // it counts us out: not before RetryAfter, or elsewhere
	causeHost                   // control of the name was not proved, or CAA forbids: its owner must act
	causeAccount                // e-mail, binding, terms: the operator must act
	causeRequest                // profile, key, must-staple: the operator must act
	causeHere                   // our own store or machine: the order is kept
	causeStopped                // the context ended: the order is kept
)

// String names the cause for logs and metrics.
func (c cause) String() string {
	return [...]string{"authority", "limit", "host", "account", "request", "here", "stopped"}[c]
}

// problem is why there is no certificate. Detail is the authority's own words
// where it said any, bounded and printable.
type problem struct {
	Doing       string // what was being done, in words
	CA          string // the authority, as operators name it
	Status      int    // of HTTP; 0 where none was answered
	Type        string // last part of the ACME error type, such as "rateLimited"; may be empty
	Detail      string
	Subproblems []string
	RetryAfter  time.Duration // how long the authority sends us away; 0: it did not say
	Cause       cause
	Kept        bool // the order lives on: another attempt resumes it and spends nothing
	Stalled     bool // no verdict about the name came: what it leads to may hang as well as the authority
	err         error
}

// Error returns what was done, with whom, and the authority's words.
func (p *problem) Error() string {
	var b strings.Builder
	if p.CA != "" {
		fmt.Fprintf(&b, "%s: ", p.CA)
	}
	b.WriteString(p.Doing)
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	if p.Type != "" {
		fmt.Fprintf(&b, " (%s)", p.Type)
	}
	for _, sub := range p.Subproblems {
		fmt.Fprintf(&b, "; %s", sub)
	}
	if p.RetryAfter > 0 {
		fmt.Fprintf(&b, "; it wants to be asked again in %s", p.RetryAfter.Round(time.Second))
	}
	return b.String()
}

// Unwrap returns what the problem was made from; it may be nil.
func (p *problem) Unwrap() error { return p.err }

// elsewhere reports whether another authority may do what this one did not.
func (p *problem) elsewhere() bool {
	return p.Cause == causeAuthority || p.Cause == causeLimit || p.Cause == causeAccount ||
		p.Type == "caa" || p.Type == "rejectedIdentifier" || p.Type == "unsupportedIdentifier"
}

// gone reports whether the authority does not know what it was asked about.
func (p *problem) gone() bool {
	return p.Status == 404 || p.Status == 410 || p.Status == 403 && p.Type == "unauthorized" ||
		p.Status == 400 && p.Type == "malformed" || p.Type == "accountDoesNotExist"
}

// asProblem returns the problem in err, or one that wraps an error of this
// machine.
func asProblem(err error) *problem {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return &problem{Doing: "work here", Detail: clean(err.Error()), Cause: causeHere, Kept: true, err: err}
}

// judge makes a problem of an error of the ACME client.
func judge(doing string, ca *authority, said *answer, err error) *problem {
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	p := &problem{Doing: doing, CA: ca.Name, err: err, RetryAfter: said.retryAfter()}
	var word acmeclient.Problem
	var pointed *acmeclient.Problem
	if errors.As(err, &pointed) && pointed != nil {
		word = *pointed
	} else if !errors.As(err, &word) {
		return p.fromTransport(said, err)
	}
	p.Status = word.Status
	p.Type = clean(strings.TrimPrefix(word.Type, acmeclient.ProblemTypeNamespace))
	p.Detail = clean(word.Detail)
	for _, sub := range word.Subproblems[:min(len(word.Subproblems), subproblemsMax)] {
		p.Subproblems = append(p.Subproblems, clean(sub.Detail))
	}
	p.Cause = causeOf(p.Type, p.Status)
	return p
}

// fromTransport judges an error that carries no word of the authority.
func (p *problem) fromTransport(said *answer, err error) *problem {
	p.Status = said.status()
	p.Detail = clean(plain(err))
	switch {
	case errors.Is(err, context.Canceled):
		p.Cause, p.Detail = causeStopped, "stopped before it was done"
	case errors.Is(err, context.DeadlineExceeded):
		p.Cause, p.Detail = causeAuthority, "no end within the time for it"
	case p.Status == 429:
		p.Cause = causeLimit
	}
	if hint := said.clockHint(err); hint != "" {
		p.Detail += "; " + hint
	}
	return p
}

// plain is the innermost text of an error of the HTTP client, without the
// addresses that it repeats at each level.
func plain(err error) string {
	for {
		inner := errors.Unwrap(err)
		// An order that is invalid for no reason wraps a problem that is nil.
		if word, ok := inner.(*acmeclient.Problem); inner == nil || ok && word == nil {
			return err.Error()
		}
		err = inner
	}
}

// causeOf reads the type and status of a problem document (RFC 8555 section
// 6.7).
func causeOf(kind string, status int) cause {
	switch kind {
	case "rateLimited":
		return causeLimit
	case "badNonce", "serverInternal": // with a 400 or a 403 as well
		return causeAuthority
	case "caa", "connection", "dns", "incorrectResponse", "tls", "unauthorized",
		"rejectedIdentifier", "unsupportedIdentifier":
		return causeHost
	case "accountDoesNotExist", "externalAccountRequired", "invalidContact", "unsupportedContact", "userActionRequired":
		return causeAccount
	case "badCSR", "badPublicKey", "badRevocationReason", "badSignatureAlgorithm", "invalidProfile",
		"alreadyRevoked", "alreadyReplaced":
		return causeRequest
	}
	if status == 429 {
		return causeLimit
	}
	if status == 400 || status == 403 {
		return causeRequest
	}
	return causeAuthority
}

// clean bounds what a stranger said and leaves nothing in it that moves a
// terminal's cursor or begins a line of a log.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if len(text) > problemTextMax {
		text = strings.ToValidUTF8(text[:problemTextMax], "") + "…"
	}
	return text
}

// boundedWait is a Retry-After that nobody can lock us out with.
func boundedWait(d time.Duration) time.Duration { return min(max(d, 0), retryAfterMax) }

// kept marks that the order of a failed attempt lives on.
func (p *problem) kept() *problem {
	p.Kept = true
	return p
}

// localProblem says that something of our own went wrong.
func localProblem(doing string, err error) *problem {
	c := causeHere
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		c = causeStopped
	}
	return &problem{Doing: doing, Detail: clean(err.Error()), Cause: c, Kept: true, err: err}
}

// requestProblem says that what is asked for cannot be had.
func requestProblem(ca *authority, doing, detail string) *problem {
	return &problem{Doing: doing, CA: cmp.Or(ca.Name, ca.Directory), Detail: clean(detail), Cause: causeRequest}
}

package dns01

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/dnsquery"
)

// Persist is a record that its owner sets once and that proves control for as
// long as it stands, wildcards included (ACME challenge dns-persist-01,
// draft-ietf-acme-dns-persist-00). No credentials are held for it.
type Persist struct {
	Host    string // as in the table; a wildcard as "*.x"
	Issuer  string // the authority's name for itself, one of those that its challenge lists
	Account string // URL of our account with it
}

// Name returns where the record stands, without its last dot.
func (p Persist) Name() string { return "_validation-persist." + normal(p.Host) }

// Record returns the record that the owner sets, as one line.
func (p Persist) Record() string {
	value := p.Issuer + "; accounturi=" + p.Account
	if p.wildcard() {
		value += "; policy=wildcard"
	}
	return p.Name() + ". TXT " + strconv.Quote(value)
}

func (p Persist) wildcard() bool { return strings.HasPrefix(p.Host, "*.") }

// Texter returns the texts of a name: *dnsquery.Resolver.
type Texter interface {
	TXT(ctx context.Context, name string) ([]string, error)
}

// Holds asks DNS whether the record stands, and holds at the time given.
func (p Persist) Holds(ctx context.Context, dns Texter, now time.Time) (bool, error) {
	texts, err := dns.TXT(ctx, p.Name())
	if dnsquery.KindOf(err) == dnsquery.NoSuchName {
		return false, nil
	}
	return slices.ContainsFunc(texts, func(text string) bool { return p.says(text, now) }), err
}

// says reports whether a text is the record. Parameters that nobody knows are
// passed over, as the draft wants it; one that comes twice means nothing.
func (p Persist) says(text string, now time.Time) bool {
	issue, ok := dnsquery.ParseIssue(text)
	if !ok || issue.Domain != strings.ToLower(p.Issuer) || !slices.Equal(issue.Values("accounturi"), []string{p.Account}) {
		return false
	}
	policy := issue.Values("policy")
	if p.wildcard() && (len(policy) != 1 || !strings.EqualFold(policy[0], "wildcard")) {
		return false
	}
	until := issue.Values("persistuntil")
	if len(until) == 0 {
		return true
	}
	seconds, err := strconv.ParseInt(until[0], 10, 64)
	return err == nil && len(until) == 1 && now.Before(time.Unix(seconds, 0))
}

package acme

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	xacme "golang.org/x/crypto/acme"
)

const (
	// directoryAge is how long what an authority says of itself is believed:
	// profiles come and go within days.
	directoryAge = time.Hour

	// wordsMax bounds profiles and CAA identities; Let's Encrypt has four.
	wordsMax = 32
)

// directory is what an authority says of itself (RFC 8555 section 7.1.1).
type directory struct {
	Profiles    map[string]string // name: what it means, the authority's words
	CAA         []string          // names under which CAA records (RFC 8659) mean it
	EABRequired bool
	Terms       string // URL
}

type directoryState struct {
	turn chan struct{} // guards the rest
	last *directory
	read time.Time
}

// describe asks the authority for its directory, at most once in directoryAge.
// It spends nothing.
func (c *client) describe(ctx context.Context) (*directory, error) {
	s := &c.directory
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, localProblem("wait for the directory", ctx.Err())
	}
	if s.last != nil && c.guard.now().Sub(s.read) < directoryAge {
		return s.last, nil
	}
	ctx, said := listen(ctx)
	// A new one each time: it caches for ever.
	d, err := c.discoverer().Discover(ctx)
	if err != nil {
		if s.last != nil {
			return s.last, nil
		}
		return nil, judge("read its directory", c.authority, said, err)
	}
	s.last, s.read = boundedDirectory(d), c.guard.now()
	return s.last, nil
}

// discoverer is the second client, of golang.org/x/crypto, without a key.
func (c *client) discoverer() *xacme.Client {
	return &xacme.Client{
		DirectoryURL: c.authority.Directory, HTTPClient: c.http, UserAgent: userAgent,
		RetryBackoff: func(n int, _ *http.Request, _ *http.Response) time.Duration {
			if n > 2 {
				return -1
			}
			return retryWait
		},
	}
}

func boundedDirectory(d xacme.Directory) *directory {
	out := &directory{EABRequired: d.ExternalAccountRequired, Terms: clean(d.Terms), Profiles: map[string]string{}}
	names := slices.Sorted(maps.Keys(d.Profiles))
	for _, name := range names[:min(len(names), wordsMax)] {
		out.Profiles[clean(string(name))] = clean(d.Profiles[name])
	}
	for _, name := range d.CAA[:min(len(d.CAA), wordsMax)] {
		out.CAA = append(out.CAA, strings.ToLower(clean(name)))
	}
	return out
}

// checkProfile refuses a profile that the authority does not offer, before an
// order is spent on it.
func (c *client) checkProfile(ctx context.Context, profile string) error {
	if profile == "" {
		return nil
	}
	d, err := c.describe(ctx)
	if err != nil {
		return err
	}
	if _, ok := d.Profiles[profile]; ok {
		return nil
	}
	offered := "it offers none"
	if len(d.Profiles) > 0 {
		offered = "it offers " + strings.Join(slices.Sorted(maps.Keys(d.Profiles)), ", ")
	}
	p := requestProblem(c.authority, "ask for profile "+profile, "the authority does not know it; "+offered)
	p.Type = "invalidProfile" // as it would say itself
	return p
}

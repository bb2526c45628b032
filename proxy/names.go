package proxy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/dnsquery"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
)

const (
	// nameLinesMost bounds the lines that lookups of backends' names leave in the
	// log in nameLinesTime: when the resolver goes, every name says so.
	nameLinesMost = 60
	nameLinesTime = time.Minute
	// addressesLogged bounds the addresses in such a line.
	addressesLogged = 8
)

// newNames returns what keeps the addresses of backends that are written by name.
func (s *Server) newNames(finder pool.Finder) *pool.Names {
	if finder == nil {
		finder = dnsquery.New(nil, dnsquery.Options{})
	}
	names := pool.NewNames(pool.NamesOptions{Finder: finder, Changed: s.checks.Refresh, Notify: s.lookedUp})
	s.metrics.Names(func() metrics.NameCounts { return countNames(names.Status()) })
	return names
}

// Names returns what is known of the names that backends are written by, in no
// order.
func (s *Server) Names() []pool.NameStatus { return s.names.Status() }

func countNames(list []pool.NameStatus) (n metrics.NameCounts) {
	for _, name := range list {
		switch {
		case len(name.Addresses) == 0:
			n.Nowhere++
		case name.Fault != nil:
			n.Kept++
		default:
			n.Resolved++
		}
	}
	return n
}

// lookedUp tells about a lookup that came to something else than the one before.
func (s *Server) lookedUp(l pool.Lookup) {
	s.metrics.LookedUp(!l.Failed)
	now := time.Now()
	if l.Barred && s.nameLines.take(now) {
		s.log.Warn("a backend's name leads to where no backend may be, too; that address is not used", "name", l.Host, "address", l.Forbidden)
	}
	switch {
	case l.Failed && l.Turned && s.nameLines.take(now):
		what := "a backend's name leads nowhere"
		if len(l.Addresses) > 0 {
			what = "a backend's name could not be looked up, and its last addresses stay in use"
		}
		s.log.Warn(what, "name", l.Host, "addresses", addressList(l.Addresses), "error", l.Fault)
	case l.Failed:
	case l.Turned && len(l.Before) > 0 && s.nameLines.take(now):
		s.log.Info("a backend's name can be looked up again", "name", l.Host, "addresses", addressList(l.Addresses))
	case !slices.Equal(l.Before, l.Addresses) && len(l.Before) > 0 && s.nameLines.take(now):
		s.log.Info("a backend's name leads elsewhere", "name", l.Host, "addresses", addressList(l.Addresses), "before", addressList(l.Before))
	case l.All > len(l.Addresses) && len(l.Before) == 0 && s.nameLines.take(now):
		s.log.Warn("a backend's name has more addresses than are used", "name", l.Host, "has", l.All, "used", len(l.Addresses))
	}
}

// addressList names addresses, and how many more there are.
func addressList(list []netip.Addr) string {
	var words []string
	for _, a := range list[:min(len(list), addressesLogged)] {
		words = append(words, a.String())
	}
	if more := len(list) - addressesLogged; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, " ")
}

// lineBudget allows so many lines in a time. The zero value is full.
type lineBudget struct {
	mu    sync.Mutex
	since time.Time
	used  int
}

func (b *lineBudget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.since) >= nameLinesTime {
		b.since, b.used = now, 0
	}
	b.used++
	return b.used <= nameLinesMost
}

// placeOf names a backend whose standing has changed.
func placeOf(c pool.Transition) string {
	if !c.Address.IsValid() {
		return c.Backend.Address()
	}
	return c.Backend.Address() + " at " + c.Address.String()
}

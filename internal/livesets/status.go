package livesets

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/ipallow"
)

// Status is how a source stands.
type Status struct {
	Source  *ipallow.Source
	State   string
	Entries int
	Good    time.Time // when it gave its last good answer; zero: never
	Changed time.Time // when that was another than before
	Failing time.Time // since when it gives none; zero: it does
	Why     string    // what is wrong with it then
}

// Status lists the sources by owner, set and name.
func (k *Keeper) Status() []Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := make([]Status, 0, len(k.entries))
	for _, e := range k.entries {
		s := Status{Source: e.source, State: e.state(), Good: e.good, Changed: e.changed}
		if e.contents != nil {
			s.Entries = e.contents.Len()
		}
		if e.failures > 0 {
			s.Failing, s.Why = e.failing, e.cause
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Status) int {
		return cmp.Or(cmp.Compare(a.Source.Owner, b.Source.Owner), cmp.Compare(a.Source.Set, b.Source.Set),
			cmp.Compare(a.Source.String(), b.Source.String()))
	})
	return list
}

// Stand is Status as metrics have it.
func (k *Keeper) Stand() []metrics.LiveSource {
	var list []metrics.LiveSource
	for _, s := range k.Status() {
		m := metrics.LiveSource{Tenant: s.Source.Owner, Set: s.Source.Set, State: s.State, Known: !s.Good.IsZero()}
		if m.Known {
			m.Age = time.Since(s.Good).Seconds()
		}
		list = append(list, m)
	}
	return list
}

// CheckCA reads the authorities that a URL source names, for whoever only looks.
func CheckCA(s *ipallow.Source, base string) error {
	a := asker{base: base}
	_, err := a.roots(s)
	return err
}

// ReadFile reads a file source once, for whoever only looks.
func ReadFile(s *ipallow.Source, base string) (*ipallow.Contents, error) {
	a := asker{base: base}
	got, err := a.ask(context.Background(), s, "")
	if err != nil {
		return nil, err
	}
	return compile(got.prefixes, s.Max)
}

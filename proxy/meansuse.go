package proxy

import (
	"slices"

	"gatehouse/internal/metrics"
)

// MeansUse is how much of one of the means is taken.
type MeansUse struct {
	Means string // memory (bytes, by estimate), goroutines, connections or backend_connections
	Taken int
	Of    int
}

// MeansPart is what a tenant holds of one of the means.
type MeansPart struct {
	Means string
	Held  int
	Part  int // what it could have while others keep what they have
}

// uses lists the means.
func (m *means) uses() []MeansUse {
	list := make([]MeansUse, kinds)
	for k := range kinds {
		taken, of := m.shares[k].Taken()
		list[k] = MeansUse{k.String(), taken, of}
	}
	return list
}

// parts lists what a party holds.
func (m *means) parts(p *party) []MeansPart {
	list := make([]MeansPart, kinds)
	for k := range kinds {
		list[k] = MeansPart{k.String(), p.held[k].Held(), m.shares[k].Part(&p.held[k], int(p.weight.Load()))}
	}
	return list
}

// measure tells the metrics how much is taken.
func (m *means) measure(set *metrics.Set) {
	for k := range kinds {
		taken, of := m.shares[k].Taken()
		set.MeansTaken(metrics.Means(k), taken, of)
	}
}

// holds is what scrapes are told.
func (p *party) holds() []int {
	held := make([]int, kinds)
	for k := range kinds {
		held[k] = p.held[k].Held()
	}
	return held
}

// partsOf lists what each tenant holds that holds anything, by its id.
func (s *Server) partsOf() map[string][]MeansPart {
	all := make(map[string][]MeansPart)
	snap := s.snapshot()
	if snap == nil {
		return all
	}
	for tenant, r := range snap.running {
		parts := s.means.parts(r.party)
		if slices.ContainsFunc(parts, func(p MeansPart) bool { return p.Held > 0 }) {
			all[tenant.ID()] = parts
		}
	}
	return all
}

package gateway

import (
	"cmp"
	"slices"

	"gatehouse/internal/admin"
	"gatehouse/internal/pool"
)

// nameStatus shows names of backends as operators see them, in order.
func nameStatus(names []pool.NameStatus) []admin.NameStatus {
	list := make([]admin.NameStatus, 0, len(names))
	for _, n := range names {
		s := admin.NameStatus{Name: n.Host, Addresses: []string{}, Confirmed: n.Confirmed}
		for _, a := range n.Addresses {
			s.Addresses = append(s.Addresses, a.String())
		}
		s.Unused = max(0, n.All-len(n.Addresses))
		if n.Forbidden != nil {
			s.Forbidden = n.Forbidden.Error()
		}
		if n.Fault != nil {
			s.Fault, s.Since = n.Fault.Error(), n.Since
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b admin.NameStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

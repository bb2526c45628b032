package tenancy

import (
	"time"

	"gatehouse/ipallow"
)

// ends appends the instants at which entries of a list end, as Unix seconds.
func ends(into []int64, list interface {
	NextUntil(after time.Time) (time.Time, bool)
},
) []int64 {
	after := time.Unix(0, 0)
	for {
		next, ok := list.NextUntil(after)
		if !ok {
			return into
		}
		into = append(into, next.Unix())
		after = next
	}
}

// untilsOf gathers the ends of every list that a tenant's levels have.
func untilsOf(accesses map[*AccessSpec]*ipallow.Access, narrow *ipallow.Access) []int64 {
	untils := ends(nil, narrow)
	for _, a := range accesses {
		untils = ends(untils, a)
	}
	return untils
}

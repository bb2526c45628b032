package pool

import (
	"encoding/binary"
	"math/bits"
)

// Placing by hash is Maglev's (Eisenbud et al., NSDI 2016, 3.4), with weights: a
// table of slots, filled by the backends in turn, each along a permutation of its
// own. To look a request up takes one access, and the shares are exact to a slot;
// rendezvous hashing would move no request but those of the backend that left,
// but looks at all backends for each request, and ketama's ring is uneven by a
// tenth with a hundred points for each.
//
// The table is made from what is written, not from who is up: where a backend
// fails, the requests that it had are placed again among the others, no other
// request moves, and they come back when it does. What moves when a backend
// is added or removed is its share and a few per cent of the rest.

const (
	// tableSlots is prime, as permutations by steps must have it, and holds a
	// hundred slots and more for each of tableBackends: shares are exact to 1 %.
	tableSlots    = 4093
	tableBackends = 32
	// tableSlotsMost is the same for up to 256.
	tableSlotsMost = 65521
)

// newTable returns the seat of each slot, for the seats that are active and no
// backups; nil if there are not two of them.
func newTable(seats []seat) []uint8 {
	var fill []filler
	for i, s := range seats {
		if s.declared.state == Active && !s.declared.backup {
			fill = append(fill, filler{seat: uint8(i), weight: s.weight, hash: hashText(s.key)})
		}
	}
	if len(fill) < 2 {
		return nil
	}
	n := uint64(tableSlots)
	if len(fill) > tableBackends {
		n = tableSlotsMost
	}
	most := uint64(0)
	for i := range fill {
		f := &fill[i]
		f.next, f.step = f.hash%n, mix(f.hash)%(n-1)+1
		most = max(most, f.weight)
	}
	return fillTable(fill, n, most)
}

// filler is a backend that takes slots.
type filler struct {
	seat       uint8
	weight     uint64
	hash       uint64
	next, step uint64 // its permutation of the slots
	credit     uint64 // a slot is taken for each most of it
}

// fillTable has the backends take slots in turn, the heaviest one in each round
// and the others as often as they weigh beside it.
func fillTable(fill []filler, n uint64, most uint64) []uint8 {
	table, taken := make([]uint8, n), make([]bool, n)
	for left := n; left > 0; {
		for i := range fill {
			f := &fill[i]
			if f.credit += f.weight; f.credit < most || left == 0 {
				continue
			}
			f.credit -= most
			for taken[f.next] {
				f.next = (f.next + f.step) % n
			}
			table[f.next], taken[f.next] = f.seat, true
			left--
		}
	}
	return table
}

// placeTries bounds how often a request is placed again because its backend
// takes none: with half of the backends away, one in a thousand needs more.
const placeTries = 10

// placed returns the seat that the table has for the request, or the one that
// it has for a hash of its hash, while seats take no requests; -1 if none does
// after a few.
func (r *Round) placed(v *view) int {
	table, up := v.roster.table, v.tiers[primary]
	if table == nil || up == nil {
		return -1
	}
	h := r.hash
	for range placeTries {
		if seat := table[h%uint64(len(table))]; up.members.has(seat) && !r.tried.has(seat) {
			return int(seat)
		}
		h = mix(h)
	}
	return -1
}

// mix is the finalizer of SplitMix64 (Steele et al., OOPSLA 2014): each bit of x
// changes half of the result's.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Hash returns a number for what requests have in common. It is the same in
// every process, so that several gateways place a request alike. Whoever chooses
// what is hashed can crowd requests on one backend; to send the same one again
// and again does that, too.
func Hash(text []byte) uint64 {
	h := uint64(len(text))
	for len(text) >= 8 {
		h = mix(h ^ binary.LittleEndian.Uint64(text))
		text = text[8:]
	}
	var rest [8]byte
	copy(rest[:], text)
	return mix(bits.RotateLeft64(h, 32) ^ binary.LittleEndian.Uint64(rest[:]))
}

func hashText(text string) uint64 { return Hash([]byte(text)) }

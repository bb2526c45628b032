package limit

import "sync/atomic"

// greed is how many times what is left one holder of weight 1 may have. One that
// takes all it can get has 8 of 9 parts, two 8 of 17 each: a ninth, or a
// seventeenth, is always there for those who ask for little.
const greed = 8

// Share is a number of places that many may take from, and nobody all. It is
// memory that is scarce here, and it is held for long, so that nobody can be made
// to give it back: what each may have is measured by what is left, times its
// weight (dynamic thresholds, Choudhury and Hahne, 1998). Who holds the most is
// the first to be refused, and those who want more than there is end up with
// places in the ratio of their weights, as fast as places are given back.
type Share struct {
	most  int64
	taken atomic.Int64
}

// Holder is what one of them has taken. The zero Holder has nothing.
type Holder struct{ held atomic.Int64 }

// NewShare returns so many places.
func NewShare(most int) *Share { return &Share{most: int64(most)} }

// Take takes a place for h, whose weight is at least 1; false when it has its
// part already. It takes no lock.
func (s *Share) Take(h *Holder, weight int) bool {
	left := s.most - s.taken.Add(1)
	if mine := h.held.Add(1); left >= 0 && mine <= greed*int64(weight)*(left+1) {
		return true
	}
	s.Give(h)
	return false
}

// Give gives a place back.
func (s *Share) Give(h *Holder) {
	h.held.Add(-1)
	s.taken.Add(-1)
}

// Taken returns how many places are taken, of how many.
func (s *Share) Taken() (taken, of int) { return int(s.taken.Load()), int(s.most) }

// Held returns how many places h has.
func (h *Holder) Held() int { return int(h.held.Load()) }

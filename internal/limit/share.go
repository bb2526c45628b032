package limit

import "sync/atomic"

// greed is how many times what is left one holder of weight 1 may have. One that
// takes all it can get has 8 of 9 parts, two 8 of 17 each: a ninth, or a
// seventeenth, is always there for those who ask for little.
const greed = 8

// Share is an amount of something that many may take from, and nobody all. It is
// something like memory, and it is held for long, so that nobody can be made to
// give it back: what each may have is measured by what is left, times its weight
// (dynamic thresholds, Choudhury and Hahne, 1998). Who holds the most is the
// first to be refused, and those who want more than there is end up with amounts
// in the ratio of their weights, as fast as it is given back.
type Share struct {
	most  int64
	taken atomic.Int64
}

// Holder is what one of them has taken. The zero Holder has nothing.
type Holder struct{ held atomic.Int64 }

// NewShare returns so much of it.
func NewShare(most int) *Share { return &Share{most: int64(most)} }

// Take takes n for h, whose weight is at least 1; false, and nothing, when h has
// its part already. Of nothing there is always enough. It takes no lock.
func (s *Share) Take(h *Holder, n, weight int) bool {
	if n == 0 {
		return true
	}
	left := s.most - s.taken.Add(int64(n))
	if mine := h.held.Add(int64(n)); left >= 0 && mine <= greed*int64(weight)*(left+int64(n)) {
		return true
	}
	s.Give(h, n)
	return false
}

// Move makes n of one holder's another's, unless that one has its part already.
func (s *Share) Move(from, to *Holder, n, weight int) bool {
	if n == 0 {
		return true
	}
	left := s.most - s.taken.Load()
	if mine := to.held.Add(int64(n)); mine <= greed*int64(weight)*(left+int64(n)) {
		from.held.Add(int64(-n))
		return true
	}
	to.held.Add(int64(-n))
	return false
}

// Give gives n back.
func (s *Share) Give(h *Holder, n int) {
	h.held.Add(int64(-n))
	s.taken.Add(int64(-n))
}

// Taken returns how much is taken, of how much.
func (s *Share) Taken() (taken, of int) { return int(s.taken.Load()), int(s.most) }

// Part returns how much h could have if nobody else took or gave anything back.
func (s *Share) Part(h *Holder, weight int) int {
	open := max(s.most-s.taken.Load()+h.held.Load(), 0)
	parts := greed * float64(weight)
	return int(float64(open) * parts / (parts + 1))
}

// Held returns how much h has.
func (h *Holder) Held() int { return int(h.held.Load()) }

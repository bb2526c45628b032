package pool

import "gatehouse/internal/conf"

// State is what an operator wants of a backend.
type State uint8

// The states. The zero State is Active.
const (
	Active State = iota
	Drain        // it gets no new requests; those in progress finish
	Down         // the same, and its health is not looked at
)

// String returns "active", "drain" or "down".
func (s State) String() string {
	switch s {
	case Drain:
		return "drain"
	case Down:
		return "down"
	}
	return "active"
}

// weightMost is enough for shares of a thousandth; the weights of a pool add up
// to a number that is far from overflow.
const weightMost = 1000

// readRole fills in what part the backend has in its pool.
func (b *Backend) readRole(s *BackendSpec) {
	b.weight, b.backup = 1, s.Backup.V
	switch s.State.V {
	case Drain.String():
		b.state = Drain
	case Down.String():
		b.state = Down
	}
	if s.Weight.Set() && weighs(s.Weight.V) {
		b.weight = uint32(s.Weight.V)
	}
}

// CheckConf holds the weight to its bounds.
func (s *BackendSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if !s.Weight.Set() || weighs(s.Weight.V) {
		return
	}
	hint := ""
	if s.Weight.V == 0 {
		hint = "write state: drain for a backend that gets no requests"
	}
	r.Fault(s.Weight.Pos, hint, "weight is %d; expected 1 to %d", s.Weight.V, weightMost)
}

// weighs reports whether n may be a weight.
func weighs(n int) bool { return n >= 1 && n <= weightMost }

// Weight returns the backend's share of the requests, beside those of the others
// of its pool; at least 1.
func (b *Backend) Weight() int { return int(b.weight) }

// Backup reports whether the backend gets requests only while no other can take
// them.
func (b *Backend) Backup() bool { return b.backup }

// State returns what is written about the backend.
func (b *Backend) State() State { return b.state }

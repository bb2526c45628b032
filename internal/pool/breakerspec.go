package pool

import (
	"fmt"
	"strings"

	"gatehouse/internal/conf"
)

// BreakerSpec is how much a backend is given to do at a time, as written.
type BreakerSpec struct {
	Connections conf.At[conf.OrOff[conf.Count]] `conf:"connections" default:"off" doc:"connections to each backend that a pool has, 1 to 1000000, so requests in progress there, WebSockets included; for more another backend is taken, or they are 503" example:"100"`
	Pending     conf.At[conf.OrOff[conf.Count]] `conf:"pending" default:"off" doc:"requests at each backend whose answer has not begun, 1 to 1000000; the same" example:"20"`
}

// Breaker is how much a backend is given to do at a time. The zero Breaker sets
// no bound.
type Breaker struct {
	Connections int // 0: any number
	Pending     int // requests whose answer has not begun; 0: any number
}

// breakerMost is far beyond what a process can have open.
const breakerMost = 1_000_000

// CheckConf holds what is written to its bounds.
func (s *BreakerSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	for _, n := range []struct {
		key string
		at  conf.At[conf.OrOff[conf.Count]]
	}{{"connections", s.Connections}, {"pending", s.Pending}} {
		if n.at.Set() && !n.at.V.Off && (n.at.V.V < 1 || n.at.V.V > breakerMost) {
			r.Fault(n.at.Pos, "", "%s is %d; expected 1 to %d, or off", n.key, n.at.V.V, breakerMost)
		}
	}
}

// Compile returns what s, merged, declares; nil declares none.
func (s *BreakerSpec) Compile() Breaker {
	if s == nil {
		return Breaker{}
	}
	return Breaker{int(s.Connections.V.V), int(s.Pending.V.V)}
}

// String returns the bounds in words.
func (b Breaker) String() string {
	var most []string
	if b.Connections > 0 {
		most = append(most, fmt.Sprintf("%d connections", b.Connections))
	}
	if b.Pending > 0 {
		most = append(most, fmt.Sprintf("%d pending requests", b.Pending))
	}
	if most == nil {
		return "no circuit breaker"
	}
	return "circuit breaker at " + strings.Join(most, " or ")
}

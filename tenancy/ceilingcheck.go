package tenancy

import (
	"strconv"
	"time"

	"gatehouse/internal/conf"
)

// ceilings are the limits of how many requests there may be.
func (s *LimitsSpec) ceilings() []boundedLimit {
	const wait = "what waits for longer has mostly gone when its turn comes"
	duration := func(n int64) string { return conf.Duration(n).String() }
	return []boundedLimit{
		boundedRate("requests", s.Requests),
		{"burst", s.Burst.Pos, int64(s.Burst.V), 1, requestsMost, decimal, ""},
		boundedCount("in_flight", s.InFlight),
		{"queue", s.Queue.Pos, int64(s.Queue.V), 0, queueMost, decimal, wait},
		{"queue_wait", s.QueueWait.Pos, int64(s.QueueWait.V), int64(queueWaitLeast), int64(queueWaitMost), duration, wait},
		boundedCount("websockets", s.WebSockets),
		boundedBandwidth(s.Bandwidth),
		{"weight", s.Weight.Pos, int64(s.Weight.V), 1, weightMost, decimal, ""},
	}
}

// bounded are those of one client.
func (s *ClientLimitsSpec) bounded() []boundedLimit {
	if s == nil {
		return nil
	}
	return []boundedLimit{
		boundedRate("requests", s.Requests),
		{"burst", s.Burst.Pos, int64(s.Burst.V), 1, requestsMost, decimal, ""},
		boundedCount("in_flight", s.InFlight),
	}
}

// listenerConnectionsMost is all the connections that there may be.
const listenerConnectionsMost = 131_072

// CheckConf holds each limit to its bounds.
func (s *ListenerLimitsSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	checkBounds([]boundedLimit{
		{"connections", s.Connections.Pos, int64(s.Connections.V), 1, listenerConnectionsMost, decimal, ""},
		boundedRate("handshakes", s.Handshakes),
	}, r)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// boundedRate bounds a rate by the time from one to the next.
func boundedRate(name string, at conf.At[conf.OrOff[conf.Rate]]) boundedLimit {
	if at.V.Off {
		return boundedLimit{name: name}
	}
	text := func(n int64) string {
		switch n {
		case int64(time.Second / requestsMost):
			return conf.Rate{Count: requestsMost, Per: conf.Duration(time.Second)}.String()
		case int64(requestsEveryMost):
			return conf.Rate{Count: 1, Per: conf.Duration(requestsEveryMost)}.String()
		}
		return at.V.V.String()
	}
	return boundedLimit{name, at.Pos, int64(at.V.V.Every()), int64(time.Second / requestsMost), int64(requestsEveryMost), text, ""}
}

func boundedBandwidth(at conf.At[conf.ByteRate]) boundedLimit {
	if at.V == 0 {
		return boundedLimit{name: "bandwidth"}
	}
	text := func(n int64) string { return conf.ByteRate(n).String() }
	return boundedLimit{"bandwidth", at.Pos, int64(at.V), bandwidthLeast, bandwidthMost, text, "write off to take any"}
}

func boundedCount(name string, at conf.At[conf.OrOff[conf.Count]]) boundedLimit {
	if at.V.Off {
		return boundedLimit{name: name}
	}
	return boundedLimit{name, at.Pos, int64(at.V.V), 1, inFlightMost, decimal, "write off to take any number"}
}

// checkAlone refuses what says nothing without the limit that it belongs to. On
// hosts and routes that limit is no wider level's: each has its own.
func (s *LimitsSpec) checkAlone(r *conf.Report) {
	const hint = "each level's limits stand alone"
	for _, l := range []struct {
		name, of string
		pos      conf.Pos
		set      bool
	}{
		{"burst", "requests", s.Burst.Pos, s.Requests.Set()},
		{"queue", "in_flight", s.Queue.Pos, s.InFlight.Set()},
		{"queue_wait", "in_flight", s.QueueWait.Pos, s.InFlight.Set()},
	} {
		if !l.pos.IsZero() && !l.set {
			r.Fault(l.pos, hint, "%s stands without %s; expected both on a host or route", l.name, l.of)
		}
	}
	if s.Weight.Set() {
		r.Fault(s.Weight.Pos, "write it on the tenant, its group or the defaults", "weight stands on a host or route; it is the tenant's share of the gateway")
	}
	if c := s.Client; c != nil && c.Burst.Set() && !c.Requests.Set() {
		r.Fault(c.Burst.Pos, hint, "burst stands without requests; expected both on a host or route")
	}
}

// warnOfOff tells a host or route that its off takes no limit of a wider level
// back.
func (s *LimitsSpec) warnOfOff(r *conf.Report) {
	client := s.Client
	if client == nil {
		client = new(ClientLimitsSpec)
	}
	for _, l := range []struct {
		name string
		pos  conf.Pos
		off  bool
	}{
		{"requests", s.Requests.Pos, s.Requests.V.Off},
		{"in_flight", s.InFlight.Pos, s.InFlight.V.Off},
		{"websockets", s.WebSockets.Pos, s.WebSockets.V.Off},
		{"bandwidth", s.Bandwidth.Pos, s.Bandwidth.V == 0},
		{"requests", client.Requests.Pos, client.Requests.V.Off},
		{"in_flight", client.InFlight.Pos, client.InFlight.V.Off},
	} {
		if !l.pos.IsZero() && l.off {
			r.Warn(l.pos, "raise the tenant's, and write what the others have on their hosts and routes",
				"%s is off on a host or route, and comes to nothing: what wider levels say holds beside it", l.name)
		}
	}
}

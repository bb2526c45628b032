package tenancy

import (
	"fmt"
	"math"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/limit"
)

// Ceiling is how many requests a level takes: a tenant, a host, a route. Those of
// wider levels hold beside it, as with access: a request must find room below
// each. Defaults and groups are the tenant's, whose ceiling is over all of it.
// It is immutable; what has been counted is kept by whoever forwards.
type Ceiling struct {
	Name       string       // of the level, like `host "a.example"`: once in a tenant
	Requests   limit.Quota  // zero: any number
	InFlight   limit.Bounds // Most 0: any number
	WebSockets int          // 0: they count for InFlight
	Bandwidth  int64        // bytes in a second to clients; 0: any number
	Client     ClientCeiling
	rows       []LimitRow
}

// ClientCeiling is how many of them may be of one client address.
type ClientCeiling struct {
	Requests limit.Quota // zero: any number
	InFlight int         // 0: any number
}

// LimitRow is one limit of a ceiling in words.
type LimitRow struct {
	Limit string // its key: "requests", "client.in_flight"
	Text  string // as written, like "500/s, 1000 at once"
	Pos   conf.Pos
}

// String returns key and value.
func (r LimitRow) String() string { return r.Limit + " " + r.Text }

// Rows returns the ceiling's limits in the order in which they are judged. The
// caller must not write to it.
func (c *Ceiling) Rows() []LimitRow { return c.rows }

// CeilingsMax is how many levels a request lies below: a route as a host writes
// it, the same as its tenant does, the host, the tenant.
const CeilingsMax = 4

// ceilingsMost bounds the hosts and routes of a tenant with limits of their own:
// what each has counted takes 3 KiB at least.
const ceilingsMost = 1000

const (
	// bodyBuiltin holds an album of photographs or a scanned contract; what is
	// larger is meant to be, and its route says so.
	bodyBuiltin = 64 << 20
	// queueBuiltinMost: a queue is for a burst that the backends can serve within
	// queue_wait.
	queueBuiltinMost = 100
	// queueWaitBuiltin: a browser's user has not given up yet.
	queueWaitBuiltin = time.Second
)

// What ceilings may be set to.
const (
	// requestsMost is more than one machine can forward.
	requestsMost = 1_000_000
	// requestsEveryMost is one an hour. What is rarer is no matter of load.
	requestsEveryMost = time.Hour
	// inFlightMost is more than there is memory for.
	inFlightMost = 1_000_000
	// queueMost: each that waits holds a goroutine and its buffers.
	queueMost = 10_000
	// bandwidthLeast is a slow telephone line; below it nothing arrives.
	bandwidthLeast = 1 << 10
	// bandwidthMost is more than network cards carry.
	bandwidthMost = 100 << 30
	// weightMost: beyond it, whoever weighs least has no share to speak of.
	weightMost = 100
	// queueWaitLeast is the time of a fast answer.
	queueWaitLeast = 10 * time.Millisecond
	// queueWaitMost: clients and the proxies before them give up.
	queueWaitMost = time.Minute
)

// ceiling returns what s says about the level of that name; nil for nothing.
func (s *LimitsSpec) ceiling(name string) *Ceiling {
	if s == nil {
		return nil
	}
	c := &Ceiling{Name: name, Requests: quota(s.Requests, s.Burst), WebSockets: number(s.WebSockets)}
	if s.Client != nil {
		c.Client = ClientCeiling{quota(s.Client.Requests, s.Client.Burst), number(s.Client.InFlight)}
		c.addRate("client.requests", c.Client.Requests, s.Client.Requests)
		c.addCount("client.in_flight", s.Client.InFlight, "")
	}
	c.addRate("requests", c.Requests, s.Requests)
	if most := number(s.InFlight); most > 0 {
		c.InFlight = limit.Bounds{
			Most:  most,
			Queue: s.Queue.Or(min(most, queueBuiltinMost)),
			Wait:  time.Duration(s.QueueWait.Or(conf.Duration(queueWaitBuiltin))),
		}
		c.addCount("in_flight", s.InFlight, fmt.Sprintf(", and %d wait up to %s", c.InFlight.Queue, conf.Duration(c.InFlight.Wait)))
	}
	c.addCount("websockets", s.WebSockets, "")
	if c.Bandwidth = int64(s.Bandwidth.V); c.Bandwidth > 0 {
		c.rows = append(c.rows, LimitRow{"bandwidth", s.Bandwidth.V.String(), s.Bandwidth.Pos})
	}
	if len(c.rows) == 0 {
		return nil
	}
	return c
}

func (c *Ceiling) addRate(name string, q limit.Quota, at conf.At[conf.OrOff[conf.Rate]]) {
	if q.Burst > 0 {
		c.rows = append(c.rows, LimitRow{name, fmt.Sprintf("%s, %d at once", at.V.V, q.Burst), at.Pos})
	}
}

func (c *Ceiling) addCount(name string, at conf.At[conf.OrOff[conf.Count]], more string) {
	if number(at) > 0 {
		c.rows = append(c.rows, LimitRow{name, at.V.V.String() + more, at.Pos})
	}
}

// below returns c before the wider ones.
func (c *Ceiling) below(wider []*Ceiling) []*Ceiling {
	if c == nil {
		return wider
	}
	return append([]*Ceiling{c}, wider...)
}

// narrower returns the ceiling of a host or route before those of wider levels.
// Hosts that are written alike share a route's.
func (b *builder) narrower(name string, s *LimitsSpec, wider []*Ceiling) []*Ceiling {
	if s == nil {
		return wider
	}
	c, done := b.written[s]
	if !done && len(b.written) >= ceilingsMost {
		b.overfull = true
		b.report.Fault(b.v.spec.Pos, "", "more than %d hosts and routes of the tenant have limits of their own", ceilingsMost)
		return wider
	}
	if !done {
		s.checkAlone(b.report)
		if b.v.report.Faults() == 0 { // what is faulty looks like off
			s.warnOfOff(b.report)
		}
		c = s.ceiling(name)
		b.written[s] = c
	}
	return c.below(wider)
}

// routeName names the level of a route that tenant or host writes.
func routeName(prefix string, host *HostSpec, ofHost bool) string {
	if ofHost {
		return "route " + quote(prefix) + " of host " + quote(host.Host.V)
	}
	return "route " + quote(prefix)
}

// quota is a rate with its burst; none where it is off.
func quota(rate conf.At[conf.OrOff[conf.Rate]], burst conf.At[int]) limit.Quota {
	if !rate.Set() || rate.V.Off {
		return limit.Quota{}
	}
	return limit.Quota{Every: rate.V.V.Every(), Burst: int64(burst.Or(int(min(rate.V.V.Count, requestsMost))))}
}

// weight returns the tenant's share of the gateway.
func (s *LimitsSpec) weight() int {
	if s == nil {
		return 1
	}
	return s.Weight.Or(1)
}

// number is a count; 0 where it is off.
func number(at conf.At[conf.OrOff[conf.Count]]) int {
	if !at.Set() || at.V.Off {
		return 0
	}
	return int(at.V.V)
}

// anyBody is the limit of bodies that have none.
const anyBody = math.MaxInt64

// body returns the most bytes of a request's body.
func (s *LimitsSpec) body() int64 {
	switch {
	case !s.Body.Set():
		return bodyBuiltin
	case s.Body.V.Off:
		return anyBody
	}
	return int64(s.Body.V.V)
}

// bodyText says how long bodies may be.
func bodyText(most int64) string {
	if most == anyBody {
		return "bodies of any length"
	}
	return "bodies up to " + conf.Size(most).String()
}

// bodyPos returns where body is written.
func (s *ExchangeSpec) bodyPos() conf.Pos {
	if s.Limits == nil {
		return conf.Pos{}
	}
	return s.Limits.Body.Pos
}

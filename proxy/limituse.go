package proxy

import (
	"cmp"
	"fmt"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// LimitUse is one limit, and how near it is.
type LimitUse struct {
	Level string  // of which level it is, like `tenant "acme"`
	Limit string  // its key below limits
	Text  string  // what it says
	Used  float64 // how much of it is used, from 0 to 1
	Now   string  // the same in words
}

// uses lists the limits of a tenant. Of a limit for each client it is the client
// that is nearest.
func (r *running) uses(now int64) (list []LimitUse) {
	for _, b := range r.levels {
		for _, row := range b.rules.Rows() {
			used, words := b.use(row.Limit, now)
			list = append(list, LimitUse{Level: b.rules.Name, Limit: row.Limit, Text: row.Text, Used: used, Now: words})
		}
	}
	return list
}

func (b *bound) use(key string, now int64) (used float64, words string) {
	switch key {
	case "requests":
		used = b.counted.requests.Used(now, b.rules.Requests)
		return used, fmt.Sprintf("%.0f%% of what may come at once", 100*used)
	case "in_flight":
		inside, waiting := b.counted.inFlight.Load()
		return float64(inside) / float64(b.rules.InFlight.Most), fmt.Sprintf("%d, and %d wait", inside, waiting)
	case "websockets":
		inside, _ := b.counted.sockets.Load()
		return float64(inside) / float64(b.rules.WebSockets), fmt.Sprintf("%d", inside)
	case "bandwidth":
		used = b.counted.flow.Used(now)
		return used, fmt.Sprintf("%.0f%%", 100*used)
	case "client.requests":
		return clientRate(b.counted.clients.Nearest(now, b.rules.Client.Requests))
	case "client.in_flight":
		clients, most := b.counted.held.Nearest()
		return clientCount(clients, most, b.rules.Client.InFlight)
	}
	return 0, ""
}

// clientRate says how near the nearest of clients is to how often it may come.
func clientRate(clients int, used float64) (float64, string) {
	return used, nearest(clients, fmt.Sprintf("has sent %.0f%% of what may come at once", 100*used))
}

// clientCount says how near the nearest of clients is to how many it may have.
func clientCount(clients, most, of int) (float64, string) {
	return float64(most) / float64(of), nearest(clients, fmt.Sprintf("has %d", most))
}

// nearest says what the nearest of clients does.
func nearest(clients int, does string) string {
	switch clients {
	case 0:
		return "no client"
	case 1:
		return "the only client " + does
	}
	return fmt.Sprintf("the nearest of %d clients %s", clients, does)
}

// ListenerLimits lists what one client may have of a listener by the table in
// use, and how near the nearest client is. Connections count together for all
// listeners.
func (s *Server) ListenerLimits(l *tenancy.Listener) (list []LimitUse) {
	snap := s.snapshot()
	if snap == nil {
		return nil
	}
	rules := cmp.Or(snap.table.Listener(l), l)
	clients, most := s.budget.clients.Nearest()
	of := cmp.Or(rules.Connections, connectionsPerClientMax)
	use := LimitUse{Level: "listener " + rules.Name, Limit: "connections", Text: fmt.Sprint(of)}
	use.Used, use.Now = clientCount(clients, most, of)
	if list = append(list, use); rules.Handshakes.Burst == 0 {
		return list
	}
	use = LimitUse{
		Level: use.Level, Limit: "handshakes",
		Text: fmt.Sprintf("%d at once, then one every %s", rules.Handshakes.Burst, rules.Handshakes.Every),
	}
	if k := s.shaker(rules.Name); k != nil {
		use.Used, use.Now = clientRate(k.Nearest(s.clock.at(time.Now()), rules.Handshakes))
	}
	return append(list, use)
}

// shaker returns the handshakes of a listener's clients; nil where it is not
// served.
func (s *Server) shaker(listener string) *limit.Keyed {
	if shakers := s.shakers.Load(); shakers != nil {
		return (*shakers)[listener]
	}
	return nil
}

// measureLimits tells the metrics how near the limits are.
func (s *Server) measureLimits(now int64) {
	s.metrics.Scarce(s.processors.fair.Waiting(), s.processors.crowded.Load())
	s.means.measure(s.metrics)
	s.metrics.Encoders(s.encoding.places.Taken())
	snap := s.snapshot()
	if snap == nil {
		return
	}
	for _, r := range snap.limited {
		r.measure(now)
	}
}

func (r *running) measure(now int64) {
	near := [len(metrics.LimitNames)]float64{-1, -1, -1, -1}
	nearer := func(l metrics.Limit, share float64) { near[l] = max(near[l], share) }
	queued := 0
	for i := range r.levels {
		rules, counted := r.levels[i].rules, r.levels[i].counted
		if rules.Requests.Burst > 0 {
			nearer(metrics.LimitRequests, counted.requests.Used(now, rules.Requests))
		}
		if rules.InFlight.Most > 0 {
			inside, waiting := counted.inFlight.Load()
			nearer(metrics.LimitInFlight, float64(inside)/float64(rules.InFlight.Most))
			queued += waiting
		}
		if rules.WebSockets > 0 {
			inside, _ := counted.sockets.Load()
			nearer(metrics.LimitWebSockets, float64(inside)/float64(rules.WebSockets))
		}
		if rules.Bandwidth > 0 {
			nearer(metrics.LimitBandwidth, counted.flow.Used(now))
		}
	}
	for l, share := range near {
		r.metrics.LimitUsed(metrics.Limit(l), share)
	}
	r.metrics.Queued(queued)
}

// limitUses lists the limits of each tenant that has any, and its retries while
// there are any.
func (s *Server) limitUses() map[string][]LimitUse {
	snap, now := s.snapshot(), s.clock.at(time.Now())
	uses := make(map[string][]LimitUse)
	if snap == nil {
		return uses
	}
	for tenant, r := range snap.running {
		if len(r.levels) > 0 {
			uses[tenant.ID()] = r.uses(now)
		}
		if use, ok := r.retries.use(tenant, now); ok {
			uses[tenant.ID()] = append(uses[tenant.ID()], use)
		}
	}
	return uses
}

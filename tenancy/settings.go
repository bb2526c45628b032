package tenancy

import (
	"time"

	"gatehouse/internal/conf"
)

// builtinTimeouts hold where nobody says otherwise.
var builtinTimeouts = Timeouts{
	Connect:     3 * time.Second,
	Header:      10 * time.Second,
	FirstByte:   60 * time.Second,
	Idle:        60 * time.Second,
	KeepAlive:   75 * time.Second,
	UpgradeIdle: time.Hour,
}

const (
	// builtinRequestBuffer holds most forms and JSON bodies; larger ones stream.
	builtinRequestBuffer = 64 << 10

	// requestBufferMax bounds what one client can make the gateway hold: a
	// thousand slow uploads of this size are 4 GiB.
	requestBufferMax = 4 << 20
)

// checkSettings judges what a level says itself: the defaults, a group, a
// tenant or a host. What comes from wider levels is judged there.
func checkSettings(s *SettingsSpec, r *conf.Report) {
	checkExchange(&s.ExchangeSpec, r)
}

// checkExchange judges what any level may say, a route included.
func checkExchange(s *ExchangeSpec, r *conf.Report) {
	if s.RequestBuffer.V > requestBufferMax {
		r.Fault(s.RequestBuffer.Pos, "longer bodies stream", "request_buffer is %q; expected at most %q", s.RequestBuffer.V, conf.Size(requestBufferMax))
	}
	checkHeaders(s.Headers, r)
	checkMaintenance(s.Maintenance, r)
	checkPassHeaders(s.PassHeaders, r)
}

// fits reports whether s has no more of anything than is taken. What has more
// was refused by checkExchange; to merge it into each route of each host would
// hold up everybody's reload.
func (s *ExchangeSpec) fits() bool {
	return s.Headers.count() <= 2*fieldRulesMax && len(s.PassHeaders.Items) <= fieldRulesMax
}

// checkRouteTimeouts refuses what is decided before a route is known.
func checkRouteTimeouts(s *TimeoutsSpec, r *conf.Report) {
	if s == nil {
		return
	}
	for _, t := range s.named() {
		if t.at.Set() && (t.name == "header" || t.name == "keep_alive") {
			r.Fault(t.at.Pos, "write it on the tenant or host", "%s stands on a route; it is used before a route is known", t.name)
		}
	}
}

// CheckConf refuses times that are no time.
func (s *TimeoutsSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	for _, t := range s.named() {
		if t.at.Set() && t.at.V <= 0 {
			r.Fault(t.at.Pos, "leave it out for the built-in one", "%s is %q; expected a time above zero", t.name, t.at.V)
		}
	}
	if t := s.Total.V; s.Total.Set() && !t.Off && (t.V < totalLeast || t.V > totalMost) {
		r.Fault(s.Total.Pos, "", "total is %q; expected %q to %q, or off", t.V, totalLeast, totalMost)
	}
}

const (
	// totalLeast: what runs out is acted on up to a second late.
	totalLeast = conf.Duration(time.Second)
	// totalMost: what takes longer is bounded by how it moves, not as a whole.
	totalMost = conf.Duration(24 * time.Hour)
)

type namedTimeout struct {
	name string
	at   conf.At[conf.Duration]
}

func (s *TimeoutsSpec) named() []namedTimeout {
	return []namedTimeout{
		{"connect", s.Connect},
		{"header", s.Header},
		{"first_byte", s.FirstByte},
		{"idle", s.Idle},
		{"keep_alive", s.KeepAlive},
		{"upgrade_idle", s.UpgradeIdle},
	}
}

// compile turns merged timeouts into durations; nil gives the built-in ones.
func (s *TimeoutsSpec) compile() Timeouts {
	t := builtinTimeouts
	if s == nil {
		return t
	}
	for _, f := range []struct {
		at   conf.At[conf.Duration]
		into *time.Duration
	}{
		{s.Connect, &t.Connect},
		{s.Header, &t.Header},
		{s.FirstByte, &t.FirstByte},
		{s.Idle, &t.Idle},
		{s.KeepAlive, &t.KeepAlive},
		{s.UpgradeIdle, &t.UpgradeIdle},
	} {
		if f.at.Set() && f.at.V > 0 {
			*f.into = time.Duration(f.at.V)
		}
	}
	t.Total = time.Duration(s.Total.V.V)
	return t
}

// requestBuffer returns the merged request_buffer in bytes.
func (s *ExchangeSpec) requestBuffer() int64 {
	return int64(s.RequestBuffer.Or(builtinRequestBuffer))
}

// pathRules returns the merged paths, before routes are looked at.
func (s *SettingsSpec) pathRules() pathRules {
	var rules pathRules
	if s.Paths == nil {
		return rules
	}
	for _, word := range s.Paths.Allow.Values() {
		switch word {
		case "encoded_slash":
			rules.encodedSlash = true
		case "double_slash":
			rules.doubleSlash = true
		case "backslash":
			rules.backslash = true
		}
	}
	return rules
}

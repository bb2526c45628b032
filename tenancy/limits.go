package tenancy

import (
	"strconv"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/http1"
)

// Limits bound what the messages of one exchange may take. They are immutable.
type Limits struct {
	Request http1.Limits // of requests
	Answer  http1.Limits // of backends' answers
	Interim int          // 1xx answers to one request
	Body    int64        // bytes of a request's body
	MinRate MinRate
}

// MinRate is the least that a client keeps up while it is waited for: for the
// body of its request until the answer begins, and for the answer.
type MinRate struct {
	PerSecond int64         // bytes; 0 holds nobody to anything
	After     time.Duration // of waiting, before the client may fall behind
	// Ahead is how much of waiting a client can earn by having been faster: as
	// long as nothing at all may come.
	Ahead time.Duration
}

const (
	// interimBuiltin: Early Hints come once or twice, progress reports (102) every
	// few seconds of a long request.
	interimBuiltin = 16
	// minRateBuiltin is a modem of 2,400 baud, and what IIS and Kestrel hold
	// clients to: the slowest link in use, a satellite telephone, has 300 bytes a
	// second, and whoever means to hold a backend has to spend as much.
	minRateBuiltin = 240
	// minRateAfterBuiltin outlasts lost packets and a change of the radio cell.
	minRateAfterBuiltin = 10 * time.Second
)

// What limits may be set to. Below the least, usual clients are refused; above
// the most, one of them costs what a hundred others do.
const (
	// headLimitLeast holds the fields of a browser and one cookie of the largest
	// size (RFC 6265 section 6.1: 4,096 bytes).
	headLimitLeast = 4 << 10
	// headLimitMost is what Go's server admits; a head lies in memory whole, and
	// an HTTP/2 connection can have a hundred.
	headLimitMost = 1 << 20
	// fieldsLimitLeast: a browser sends 20 fields, and proxies before us some.
	fieldsLimitLeast = 32
	// fieldsLimitMost: each field is looked at several times.
	fieldsLimitMost = 1024
	// targetLimitLeast: shorter ones cut the queries of plain search forms.
	targetLimitLeast = 1 << 10
	// targetLimitMost is four times what the servers behind us take as they come.
	targetLimitMost = 64 << 10
	// chunkExtensionsMost bounds bytes that are read and thrown away.
	chunkExtensionsMost = 64 << 10
	// trailersLimitLeast holds a checksum or a gRPC status.
	trailersLimitLeast = 256
	// trailersLimitMost: they lie in memory until the message ends.
	trailersLimitMost = 64 << 10
	// interimLimitLeast lets 100 Continue through.
	interimLimitLeast = 1
	// interimLimitMost is a progress report every 15 seconds for an hour.
	interimLimitMost = 256
	// minRateMost is a slow DSL line's upload; above it, usual clients are cut.
	minRateMost = 64 << 10
	// minRateAfterLeast is several ticks of the clock that looks at it.
	minRateAfterLeast = 2 * time.Second
	// minRateAfterMost: whoever needs longer wants no rate at all.
	minRateAfterMost = 10 * time.Minute
)

// CheckConf holds each limit to its bounds.
func (s *LimitsSpec) CheckConf(_ conf.Pos, r *conf.Report) { checkBounds(s.bounded(), r) }

func checkBounds(limits []boundedLimit, r *conf.Report) {
	for _, l := range limits {
		if !l.pos.IsZero() && (l.is < l.least || l.is > l.most) {
			r.Fault(l.pos, l.hint, "%s is %q; expected %q to %q", l.name, l.text(l.is), l.text(l.least), l.text(l.most))
		}
	}
}

// boundedLimit is a limit as written, and what it may be.
type boundedLimit struct {
	name            string
	pos             conf.Pos
	is, least, most int64
	text            func(int64) string
	hint            string
}

func (s *LimitsSpec) bounded() []boundedLimit {
	limits := s.messages()
	limits = append(limits, s.ceilings()...)
	return append(limits, s.Client.bounded()...)
}

// messages are the limits of one message.
func (s *LimitsSpec) messages() []boundedLimit {
	size := func(n int64) string { return conf.Size(n).String() }
	rate := func(n int64) string { return conf.ByteRate(n).String() }
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	duration := func(n int64) string { return conf.Duration(n).String() }
	return []boundedLimit{
		{"head", s.Head.Pos, int64(s.Head.V), headLimitLeast, headLimitMost, size, ""},
		{"fields", s.Fields.Pos, int64(s.Fields.V), fieldsLimitLeast, fieldsLimitMost, count, ""},
		{"target", s.Target.Pos, int64(s.Target.V), targetLimitLeast, targetLimitMost, size, ""},
		{"chunk_extensions", s.ChunkExtensions.Pos, int64(s.ChunkExtensions.V), 0, chunkExtensionsMost, size, ""},
		{"trailers", s.Trailers.Pos, int64(s.Trailers.V), trailersLimitLeast, trailersLimitMost, size, ""},
		{"answer_head", s.AnswerHead.Pos, int64(s.AnswerHead.V), headLimitLeast, headLimitMost, size, ""},
		{"interim", s.Interim.Pos, int64(s.Interim.V), interimLimitLeast, interimLimitMost, count, ""},
		{"min_rate", s.MinRate.Pos, int64(s.MinRate.V), 0, minRateMost, rate, "it is for what hardly moves, not to choose between links"},
		{"min_rate_after", s.MinRateAfter.Pos, int64(s.MinRateAfter.V), int64(minRateAfterLeast), int64(minRateAfterMost), duration, "write min_rate: off to hold nobody to a rate"},
	}
}

// checkRouteLimits refuses what is used before a route is known.
func checkRouteLimits(s *LimitsSpec, r *conf.Report) {
	if s == nil {
		return
	}
	for _, l := range s.bounded() {
		switch l.name {
		case "head", "fields", "target", "chunk_extensions", "trailers":
			if !l.pos.IsZero() {
				r.Fault(l.pos, "write it on the tenant or host", "%s stands on a route; it is used before a route is known", l.name)
			}
		}
	}
}

// limits turns merged settings into what the request path reads.
func (s *ExchangeSpec) limits() *Limits {
	spec := s.Limits
	if spec == nil {
		spec = new(LimitsSpec)
	}
	builtin := http1.DefaultLimits()
	request := http1.Limits{
		HeadBytes:           int(spec.Head.Or(conf.Size(builtin.HeadBytes))),
		Fields:              spec.Fields.Or(builtin.Fields),
		TargetBytes:         int(spec.Target.Or(conf.Size(builtin.TargetBytes))),
		ChunkExtensionBytes: int(spec.ChunkExtensions.Or(conf.Size(builtin.ChunkExtensionBytes))),
		TrailerBytes:        int(spec.Trailers.Or(conf.Size(builtin.TrailerBytes))),
	}
	answer := request
	answer.HeadBytes = int(spec.AnswerHead.Or(conf.Size(builtin.HeadBytes)))
	return &Limits{
		Request: request,
		Answer:  answer,
		Interim: spec.Interim.Or(interimBuiltin),
		Body:    spec.body(),
		MinRate: MinRate{
			PerSecond: int64(spec.MinRate.Or(minRateBuiltin)),
			After:     time.Duration(spec.MinRateAfter.Or(conf.Duration(minRateAfterBuiltin))),
			Ahead:     s.Timeouts.compile().Idle,
		},
	}
}

// limitsLike is limits, and wider where that says the same: a file with
// thousands of routes does not hold as many copies.
func (s *ExchangeSpec) limitsLike(wider *Limits) *Limits {
	if own := s.limits(); *own != *wider {
		return own
	}
	return wider
}

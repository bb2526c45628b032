package tenancy

import (
	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// half is a setting that does something only with another one, which a wider or a
// narrower level may write.
type half struct {
	pos  conf.Pos
	does bool
	text string
	hint string
}

// halves are the settings of one level, or of several merged, as far as they are
// written.
type halves []half

func (h *halves) add(pos conf.Pos, does bool, text, hint string) {
	if !pos.IsZero() {
		*h = append(*h, half{pos, does, text, hint})
	}
}

func (s *ExchangeSpec) halves() halves {
	h := s.PoolRulesSpec.halves()
	if c := s.Compression; c != nil {
		const hint = "write codings: [zstd, br, gzip]"
		h.add(c.Min.Pos, c.Compile() != nil, "min stands without codings, so nothing is compressed", hint)
		h.add(c.Types.Pos, c.Compile() != nil, "types stands without codings, so nothing is compressed", hint)
	}
	return h
}

func (s *PoolRulesSpec) halves() halves {
	var h halves
	if s.Sticky != nil {
		h.add(s.Sticky.MaxAge.Pos, s.Sticky.Compile().Cookie != "", "max_age stands without cookie, so no client is kept with a backend", "write it like cookie: app_place")
	}
	if !s.SlowStart.V.Off {
		h.add(s.SlowStart.Pos, !s.Balance.Compile().Hashes(), "slow_start comes to nothing where balance is a hash: that places requests by what they carry", "")
	}
	if s.Health != nil {
		h.add(s.Health.Timeout.Pos, !s.Health.Path.Set() || !s.Health.Cut(), "timeout is longer than every, which is as long as a check may take", "write a shorter timeout, or a longer every")
	}
	return append(h, ejectionHalves(s.Ejection)...)
}

func ejectionHalves(s *pool.EjectionSpec) halves {
	var h halves
	if s != nil {
		const hint = "write it like errors: 50%"
		does := s.Compile().Errors > 0
		h.add(s.Of.Pos, does, "of stands without errors, and comes to nothing", hint)
		h.add(s.Within.Pos, does, "within stands without errors, and comes to nothing", hint)
	}
	return h
}

// halves are those of a tenant's limits. Hosts and routes are held to more: see checkAlone.
func (s *LimitsSpec) halves() halves {
	var h halves
	if s == nil {
		return nil
	}
	const rate, count = "write it like requests: 500/s", "write it like in_flight: 200"
	requests := s.Requests.Set() && !s.Requests.V.Off
	h.add(s.Burst.Pos, requests, "burst stands without requests, and comes to nothing", rate)
	h.add(s.Queue.Pos, number(s.InFlight) > 0, "queue stands without in_flight, so nobody waits", count)
	h.add(s.QueueWait.Pos, number(s.InFlight) > 0, "queue_wait stands without in_flight, so nobody waits", count)
	if c := s.Client; c != nil {
		h.add(c.Burst.Pos, c.Requests.Set() && !c.Requests.V.Off, "burst stands without requests, and comes to nothing", rate)
	}
	return h
}

// noteHalves takes down what a level writes itself, and what does something once
// it is merged with wider ones.
func (b *builder) noteHalves(own, merged halves) {
	for _, h := range own {
		if _, known := b.halves[h.pos]; !known {
			b.halves[h.pos] = false
			b.alone = append(b.alone, h)
		}
	}
	for _, h := range merged {
		if h.does {
			b.halves[h.pos] = true
		}
	}
}

// warnOfHalves tells about those that do nothing anywhere in the tenant. The other
// half may be what is faulty.
func (b *builder) warnOfHalves() {
	if b.v.report.Faults() > 0 {
		return
	}
	for _, h := range b.alone {
		if !b.halves[h.pos] {
			b.report.Warn(h.pos, h.hint, "%s", h.text)
		}
	}
}

package tenancy

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strings"

	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
)

// digestTenant is equal for two compilations of a tenant that mean the same to
// whoever connects. Positions, and the words of reasons, are left aside.
func digestTenant(t *Tenant) [sha256.Size]byte {
	d := digester{sha256.New()}
	d.text(t.id)
	d.numbers(t.body, int64(t.weight), int64(t.retries.Share), int64(t.retries.Every))
	d.levels(t.levels)
	for _, c := range t.certificates {
		sum := c.Digest()
		d.Write(sum[:])
	}
	sites := make(map[*site]int)
	for _, h := range t.hosts {
		n, known := sites[h.site]
		if !known {
			n = len(sites)
			sites[h.site] = n
		}
		d.text(h.name, h.source.String(), h.acmeProfile, h.hsts)
		d.numbers(int64(n))
		if !known {
			d.site(h.site)
		}
	}
	return [sha256.Size]byte(d.Sum(nil))
}

// digester writes what is hashed so that no two sequences of values look
// alike: each text has its length before it.
type digester struct{ hash.Hash }

func (d digester) text(texts ...string) {
	for _, text := range texts {
		d.numbers(int64(len(text)))
		d.Write([]byte(text))
	}
}

func (d digester) numbers(numbers ...int64) {
	for _, n := range numbers {
		var raw [8]byte
		binary.BigEndian.PutUint64(raw[:], uint64(n))
		d.Write(raw[:])
	}
}

func (d digester) flags(flags ...bool) {
	for _, f := range flags {
		if f {
			d.numbers(1)
		} else {
			d.numbers(0)
		}
	}
}

func (d digester) levels(levels []level) {
	d.numbers(int64(len(levels)))
	for i := range levels {
		sum := levels[i].access.Digest()
		d.Write(sum[:])
		d.numbers(int64(levels[i].how))
	}
}

func (d digester) guards(guards []*Guard) {
	d.numbers(int64(len(guards)))
	for _, g := range guards {
		d.text(g.name, g.challenge)
		if g.users != nil {
			sum := g.users.Digest()
			d.Write(sum[:])
		}
	}
}

func (d digester) site(s *site) {
	d.levels(s.levels)
	d.flags(s.paths.encodedSlash, s.paths.doubleSlash, s.paths.backslash, s.paths.protected)
	d.numbers(int64(s.profile), int64(len(s.routes)))
	d.timeouts(s.timeouts)
	d.limits(s.limits)
	d.text(s.bodyLevel)
	for _, r := range s.routes {
		d.text(r.bodyLevel, r.prefix, r.match, r.plan.Key(), strings.Join(r.pass, ","), r.coded.Key())
		d.flags(r.fold, r.canary != nil, r.mirror != nil, !r.keptOpen.IsZero())
		if r.canary != nil {
			d.text(r.canary.key)
		}
		if r.mirror != nil {
			d.text(r.mirror.key)
		}
		d.levels(r.levels)
		d.guards(r.guards)
		d.services(r.services)
		d.timeouts(r.timeouts)
		d.limits(r.limits)
		d.ceilings(r.ceilings)
		d.numbers(r.buffer, int64(r.attempts))
		d.headers(r.headers)
		d.maintenance(r.closing)
		d.redirect(r.redirect)
		d.rewrite(r.rewrite)
	}
}

func (d digester) timeouts(t Timeouts) {
	d.numbers(int64(t.Connect), int64(t.Header), int64(t.FirstByte), int64(t.Idle), int64(t.KeepAlive), int64(t.UpgradeIdle), int64(t.Total))
}

func (d digester) limits(l *Limits) {
	for _, m := range []http1.Limits{l.Request, l.Answer} {
		d.numbers(int64(m.HeadBytes), int64(m.Fields), int64(m.TargetBytes), int64(m.ChunkExtensionBytes), int64(m.TrailerBytes))
	}
	d.numbers(int64(l.Interim), l.Body, l.MinRate.PerSecond, int64(l.MinRate.After), int64(l.MinRate.Ahead))
}

func (d digester) ceilings(ceilings []*Ceiling) {
	d.numbers(int64(len(ceilings)))
	for _, c := range ceilings {
		d.text(c.Name)
		for _, q := range []limit.Quota{c.Requests, c.Client.Requests} {
			d.numbers(int64(q.Every), q.Burst)
		}
		d.numbers(int64(c.InFlight.Most), int64(c.InFlight.Queue), int64(c.InFlight.Wait), int64(c.WebSockets), c.Bandwidth, int64(c.Client.InFlight))
	}
}

func (d digester) headers(h *HeaderRules) {
	if h == nil {
		h = new(HeaderRules)
	}
	for _, fields := range [][]Field{h.RequestSet, h.ResponseSet} {
		d.numbers(int64(len(fields)))
		for _, f := range fields {
			d.text(f.Name, f.Value)
		}
	}
	for _, names := range [][]string{h.RequestRemove, h.ResponseRemove} {
		d.numbers(int64(len(names)))
		d.text(names...)
	}
}

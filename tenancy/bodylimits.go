package tenancy

import "gatehouse/internal/conf"

// BodyLimit is how long the bodies of requests may be on one level.
type BodyLimit struct {
	Level string // like `tenant "acme"`
	Text  string // like "64MiB", or "off"
}

// BodyLimits returns the tenant's limit, and those of hosts and routes that write
// their own.
func (t *Tenant) BodyLimits() []BodyLimit {
	list := []BodyLimit{{"tenant " + quote(t.id), bodyLimitText(t.body)}}
	known := make(map[string]bool)
	add := func(level string, l *Limits) {
		if level != "" && !known[level] {
			known[level] = true
			list = append(list, BodyLimit{level, bodyLimitText(l.Body)})
		}
	}
	for _, h := range t.hosts {
		add(h.site.bodyLevel, h.site.limits)
	}
	for _, r := range t.routes {
		add(r.bodyLevel, r.limits)
	}
	return list
}

func bodyLimitText(most int64) string {
	if most == anyBody {
		return "off"
	}
	return conf.Size(most).String()
}

// writesBody reports whether the level says how long bodies may be.
func (s *LimitsSpec) writesBody() bool { return s != nil && s.Body.Set() }

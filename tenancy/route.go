package tenancy

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/compress"
	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
	"gatehouse/ipallow"
)

// Route is a path prefix of one or more hosts that are written alike. It is
// immutable.
type Route struct {
	prefix    string
	match     string         // the prefix in comparable form, without its last slash
	fold      bool           // it matches without regard to case
	levels    []level        // of the route and of every route whose prefix contains it
	guards    []*Guard       // of tenant, host, and every route whose prefix contains it
	services  []*AuthService // of the same
	authKeys  []string       // of services
	vouched   []string       // fields that they alone may set; lower case
	plan      *pool.Plan
	canary    *Canary // nil for none
	mirror    *Mirror // nil for none
	timeouts  Timeouts
	limits    *Limits
	bodyPos   conf.Pos // where limits.body is written; zero where it is not
	bodyLevel string   // which of the route's levels writes it; "" for none
	ceilings  []*Ceiling
	attempts  int
	buffer    int64
	headers   *HeaderRules
	coded     *compress.Rules // nil: answers go out as they come
	closing   *maintenance    // nil: no window closes it
	keptOpen  conf.Pos        // where host or route keep it open under a command, too; else zero
	pass      []string        // lower case, sorted
	redirect  *RedirectRule   // nil: it forwards
	rewrite   *rewriting      // nil: paths go on as they came
	index     int
	host      string // whose entry says more than a name; else empty
	pos       conf.Pos

	codedPos   conf.Pos // of what is compressed with
	retriesPos conf.Pos // where retries are written; zero where they are not
}

// Timeouts bound how long things may take. None but Total is zero.
type Timeouts struct {
	Connect     time.Duration // to reach a backend, its TLS handshake included
	Header      time.Duration // until the head of a request is complete
	FirstByte   time.Duration // until a backend's answer begins
	Idle        time.Duration // between two bytes of a body
	KeepAlive   time.Duration // until the next request begins
	UpgradeIdle time.Duration // between two bytes of an upgraded connection
	Total       time.Duration // from a request's head to its answer's end; 0 for any
}

// Prefix returns the path prefix as written; "/" for a host's own backends.
func (r *Route) Prefix() string { return r.prefix }

// Host returns the host whose entry has this route for itself, as written; ""
// for a route that hosts without settings of their own share.
func (r *Route) Host() string { return r.host }

// Index returns the route's place in Tenant.Routes.
func (r *Route) Index() int { return r.index }

// Pos returns where the route is written; for "/" that may be its backends.
func (r *Route) Pos() conf.Pos { return r.pos }

// Admits reports whether this route and every route that contains it admit
// client at a moment of a table (see Table.At). Tenant and host are asked by
// Host.Admits. It does not allocate.
func (r *Route) Admits(client netip.Addr, m ipallow.Moment) bool {
	return admits(r.levels, client, m) == nil
}

// Backends returns the interchangeable backends in the order in which they are
// written, each once.
func (r *Route) Backends() []*pool.Backend { return slices.Clone(r.plan.Backends) }

// Plan returns the backends and how they are used. Routes of a tenant, also of
// successive tables, whose plans have equal keys may share a running pool.
func (r *Route) Plan() *pool.Plan { return r.plan }

// Canary returns the backends that some requests go to in place of those of Plan;
// nil for none.
func (r *Route) Canary() *Canary { return r.canary }

// Mirror returns the backends that get copies of requests; nil for none.
func (r *Route) Mirror() *Mirror { return r.mirror }

// Plans returns the plan of the route, and what stands beside it; none where it
// redirects.
func (r *Route) Plans() []*pool.Plan {
	if r.redirect != nil {
		return nil
	}
	plans := []*pool.Plan{r.plan}
	if r.canary != nil {
		plans = append(plans, r.canary.plan)
	}
	if r.mirror != nil {
		plans = append(plans, r.mirror.plan)
	}
	return plans
}

// Timeouts returns the bounds of exchanges on this route.
func (r *Route) Timeouts() Timeouts { return r.timeouts }

// Limits returns what exchanges on this route are held to. It holds on to
// nothing else of the table.
func (r *Route) Limits() *Limits { return r.limits }

// Ceilings returns what requests on this route count for, the narrowest level
// first; none where nothing is limited. The caller must not write to it.
func (r *Route) Ceilings() []*Ceiling { return r.ceilings }

// RequestBuffer returns the Content-Length in bytes up to which a body is read
// before a backend is taken.
func (r *Route) RequestBuffer() int64 { return r.buffer }

// Headers returns the changes to fields; nil for none.
func (r *Route) Headers() *HeaderRules { return r.headers }

// Compression returns how answers are compressed; nil for not at all. It holds on
// to nothing else of the table.
func (r *Route) Compression() *compress.Rules { return r.coded }

// PassHeader reports whether a field that clients may otherwise not send goes
// to the backend all the same. name is compared without regard to case. It
// does not allocate.
func (r *Route) PassHeader(name []byte) bool {
	for _, pass := range r.pass {
		if equalFold(pass, name) {
			return true
		}
	}
	return false
}

// equalFold compares lower, which is in lower case, with name.
func equalFold(lowered string, name []byte) bool {
	if len(lowered) != len(name) {
		return false
	}
	for i := range name {
		if lower(name[i]) != lowered[i] {
			return false
		}
	}
	return true
}

// owns reports whether path, in comparable form, lies below the route.
func (r *Route) owns(path []byte) bool {
	n := len(r.match)
	return len(path) >= n && string(path[:n]) == r.match && (len(path) == n || path[n] == '/')
}

// find returns the longest route that owns path, or nil. path is not
// ambiguous.
func (s *site) find(path []byte) *Route {
	if s.paths.protected {
		return s.findAnyCase(path)
	}
	var buffer pathBuffer
	plain := comparable(&buffer, path, false, s.reach)
	for _, r := range s.routes {
		if r.owns(plain) {
			return r
		}
	}
	return nil
}

// findAnyCase is find where some routes match without regard to case.
func (s *site) findAnyCase(path []byte) *Route {
	var plainBuffer, foldedBuffer pathBuffer
	plain := comparable(&plainBuffer, path, false, s.reach)
	folded := comparable(&foldedBuffer, path, true, s.reach)
	for _, r := range s.routes {
		subject := plain
		if r.fold {
			subject = folded
		}
		if r.owns(subject) {
			return r
		}
	}
	return nil
}

// planWords lists the backends of a plan, and how they share requests where that
// is not in turn.
func planWords(p *pool.Plan) string {
	names := make([]string, len(p.Backends))
	for i, b := range p.Backends {
		names[i] = b.Describe()
	}
	text := strings.Join(names, ", ")
	if p.Name != "" {
		text = poolMark + p.Name + ": " + text
	}
	if balance := p.Rules.Balance; len(names) > 1 && balance != (pool.Balance{}) {
		text += ", " + balance.String()
	}
	if sticky := p.Rules.Sticky; len(names) > 1 && sticky != (pool.Sticky{}) {
		text += ", " + sticky.String()
	}
	if slow := p.Rules.SlowStart; len(names) > 1 && slow != 0 {
		text += ", slow start " + slow.String()
	}
	if breaker := p.Rules.Breaker; breaker != (pool.Breaker{}) {
		text += ", " + breaker.String()
	}
	if health := p.Rules.Health; health.Path != "" {
		text += ", " + health.String()
	}
	return text
}

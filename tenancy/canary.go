package tenancy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// CanarySpec is backends that get some of the requests in place of those beside
// which they stand, as written.
type CanarySpec struct {
	Pos      conf.Pos
	Backends conf.OneOrMany[pool.BackendSpec] `conf:"backends,required" doc:"where those requests go; what cannot be taken there goes to the backends beside it" example:"pool:next"`
	Weight   conf.At[conf.Percent]            `conf:"weight" default:"0%" doc:"how many of the requests go there; with sticky, how many of the clients" example:"5%" also:"percent,share"`
	Header   conf.Map[conf.At[string]]        `conf:"header" doc:"requests that have one of these fields with this value go there, whatever weight says" example:"{X-Canary: always}"`
	Cookie   conf.Map[conf.At[string]]        `conf:"cookie" doc:"the same of cookies" example:"{canary: always}"`
	Sticky   conf.At[conf.OrOff[StickyTime]]  `conf:"sticky" default:"off" doc:"for how long a client stays where weight has put it, 1m to 90d: by a signed cookie that names no backend. A greater weight takes in more clients and sends none back" example:"1d"`
	AbortIf  *AbortSpec                       `conf:"abort_if" default:"never" doc:"when no more requests go there, until the canary is written otherwise"`
}

// AbortSpec is when a canary is given up, as written.
type AbortSpec struct {
	Errors conf.At[conf.Percent]  `conf:"errors,required" doc:"share of the canary's requests that fail, 1% to 100%: it is not reached, does not answer in time or not in order, or answers 500 to 599" example:"5%" also:"errorrate,rate,share"`
	Of     conf.At[int]           `conf:"of" default:"100" doc:"how many requests there must have been within that time, 1 to 1000000" example:"200" also:"requests,minrequests"`
	Within conf.At[conf.Duration] `conf:"within" default:"1m" doc:"over how long they are counted, 10s to 1h" example:"5m" also:"window,period"`
}

// StickyTime is for how long a client stays where it was put.
type StickyTime time.Duration

const (
	stickyLeast = time.Minute
	// stickyMost: browsers keep cookies for a little more than a year at most, and
	// no canary is one for that long.
	stickyMost = 90 * 24 * time.Hour
	// matchesMost bounds the fields and the cookies of one canary, for which each
	// request is searched.
	matchesMost = 8
	// matchNameBytesMax bounds their names, as it does those that requests are
	// placed by.
	matchNameBytesMax = 64
	// abortOfBuiltin: of fewer, one bad answer is too many per cent.
	abortOfBuiltin = 100
	// abortOfMost is more than a canary is watched for.
	abortOfMost        = 1_000_000
	abortWithinBuiltin = time.Minute
	abortWithinLeast   = 10 * time.Second
	abortWithinMost    = time.Hour
)

// ConfType describes such times.
func (*StickyTime) ConfType() conf.Type { return new(conf.Duration).ConfType() }

// ParseConf reads a duration of a minute to 90 days.
func (s *StickyTime) ParseConf(text string) error {
	var d conf.Duration
	if err := d.ParseConf(text); err != nil {
		return err
	}
	if t := time.Duration(d); t < stickyLeast || t > stickyMost {
		return fmt.Errorf("sticky is %q; expected %s to %s, or off", text, conf.Duration(stickyLeast), conf.Duration(stickyMost))
	}
	*s = StickyTime(d)
	return nil
}

// CheckConf refuses a canary that nobody can reach, and names that no field or
// cookie has.
func (s *CanarySpec) CheckConf(at conf.Pos, r *conf.Report) {
	if !s.Weight.Set() && len(s.Header)+len(s.Cookie) == 0 {
		r.Fault(at, "add weight: 5%", "canary has neither weight nor header nor cookie, so nobody reaches it")
	}
	for _, m := range []struct {
		what   string
		values conf.Map[conf.At[string]]
	}{{"header", s.Header}, {"cookie", s.Cookie}} {
		if len(m.values) > matchesMost {
			r.Fault(m.values[matchesMost].Pos, "", "%s names %d; expected at most %d", m.what, len(m.values), matchesMost)
		}
		for i := range m.values {
			e := &m.values[i]
			if !isToken(e.Key) || len(e.Key) > matchNameBytesMax {
				r.Fault(e.Pos, "", "%q is not the name of a %s; expected letters, digits and hyphens", e.Key, m.what)
			}
			checkValue(e.Key, e.V, r)
		}
	}
}

// CheckConf holds what is written to its bounds.
func (s *AbortSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Errors.V < 1 {
		r.Fault(s.Errors.Pos, "", "errors is %q; expected 1%% to 100%%", s.Errors.V)
	}
	if of := s.Of; of.Set() && (of.V < 1 || of.V > abortOfMost) {
		r.Fault(of.Pos, "", "of is %d; expected 1 to %d", of.V, abortOfMost)
	}
	if d := time.Duration(s.Within.V); s.Within.Set() && (d < abortWithinLeast || d > abortWithinMost) {
		r.Fault(s.Within.Pos, "", "within is %q; expected %s to %s", s.Within.V, conf.Duration(abortWithinLeast), conf.Duration(abortWithinMost))
	}
}

// Canary is backends that get some of the requests of a route. It is immutable.
type Canary struct {
	plan    *pool.Plan
	Percent int     // of the requests, or of the clients where Sticky is not zero
	Headers []Match // a request with one of them is the canary's; names in lower case
	Cookies []Match
	Sticky  time.Duration // 0: a client stays nowhere
	Abort   Abort
	key     string
	pos     conf.Pos
}

// Match is the name of a field or cookie and the value that it must have.
type Match struct{ Name, Value string }

// Abort is when a canary is given up. The zero Abort is never.
type Abort struct {
	Errors int           // per cent
	Of     int           // at least so many requests
	Within time.Duration // over which they are counted
}

// String returns the rule in words.
func (a Abort) String() string {
	return fmt.Sprintf("%d%% errors of at least %d requests within %s", a.Errors, a.Of, conf.Duration(a.Within))
}

// Plan returns the canary's backends and how they are used.
func (c *Canary) Plan() *pool.Plan { return c.plan }

// Pos returns where the canary is written.
func (c *Canary) Pos() conf.Pos { return c.pos }

// Key is equal for canaries that mean the same. One that was given up stays so
// while it has the same key.
func (c *Canary) Key() string { return c.key }

// Digest is a short text that is equal for canaries of equal Key.
func (c *Canary) Digest() string {
	sum := sha256.Sum256([]byte(c.key))
	return hex.EncodeToString(sum[:16])
}

// Identity tells the canary's backends from those of others: by the name of the
// pool, else by their addresses. Clients are assigned anew when it changes, and
// not when the rest does.
func (c *Canary) Identity() string {
	if c.plan.Name != "" {
		return poolMark + c.plan.Name
	}
	addresses := make([]string, len(c.plan.Backends))
	for i, b := range c.plan.Backends {
		addresses[i] = b.Address()
	}
	slices.Sort(addresses)
	return strings.Join(addresses, " ")
}

// String says which requests are the canary's, like "5% of requests, those with
// header x-canary: always".
func (c *Canary) String() string {
	text := strconv.Itoa(c.Percent) + "% of requests"
	if c.Sticky > 0 {
		text = strconv.Itoa(c.Percent) + "% of clients, each for " + conf.Duration(c.Sticky).String()
	}
	for _, m := range c.Headers {
		text += ", those with header " + m.Name + ": " + m.Value
	}
	for _, m := range c.Cookies {
		text += ", those with cookie " + m.Name + "=" + m.Value
	}
	return text
}

// compileCanary compiles what stands beside the backends of a route; nil for
// none.
func (b *builder) compileCanary(spec *CanarySpec, rules *PoolRulesSpec, beside *pool.Plan) *Canary {
	if spec == nil || !spec.Backends.Set() {
		return nil
	}
	plan := b.compilePlan(spec.Backends, rules)
	if plan.Key() == beside.Key() {
		b.report.Warn(spec.Backends.Pos, "", "canary goes to the backends beside which it stands")
	}
	c := &Canary{
		plan:    plan.AsOptional(),
		Percent: int(spec.Weight.V),
		Cookies: matches(spec.Cookie, func(name string) string { return name }),
		Headers: matches(spec.Header, strings.ToLower),
		pos:     spec.Pos,
	}
	if !spec.Sticky.V.Off {
		c.Sticky = time.Duration(spec.Sticky.V.V)
	}
	if a := spec.AbortIf; a != nil {
		c.Abort = Abort{int(a.Errors.V), a.Of.Or(abortOfBuiltin), time.Duration(a.Within.Or(conf.Duration(abortWithinBuiltin)))}
	}
	c.key = fmt.Sprintf("%s\n%d %q %q %d %v", c.plan.Key(), c.Percent, c.Headers, c.Cookies, c.Sticky, c.Abort)
	return c
}

func matches(values conf.Map[conf.At[string]], form func(string) string) []Match {
	list := make([]Match, len(values))
	for i := range values {
		list[i] = Match{form(values[i].Key), values[i].V.V}
	}
	return list
}

// canary says which requests go where else.
func (t *Trace) canary(c *Canary) {
	if t == nil || c == nil {
		return
	}
	text := c.String() + " to " + planWords(c.plan)
	if c.Abort != (Abort{}) {
		text += "; given up at " + c.Abort.String()
	}
	t.pass(gateCanary, c.pos, text)
}

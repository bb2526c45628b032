package proxy

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/internal/token"
	"gatehouse/tenancy"
)

// canary is the running half of a tenancy.Canary. Routes of a tenant whose
// canaries mean the same share one.
type canary struct {
	rules   *tenancy.Canary
	tenant  string
	pool    *pool.Pool
	route   string    // the first that has it
	key     token.Key // signs which bucket a client is in
	cookie  string    // that carries it
	log     *slog.Logger
	metrics *metrics.Tenant
	aborts  CanaryAborts // nil for none
	fare    *fare
}

// buckets is what clients of a sticky canary are dealt into. The canary has as
// many of the first as its weight says: a greater weight adds some and takes
// none away.
const buckets = 10_000

// canaries fills in the canaries of the routes.
func (b *poolBuilder) canaries(routes []*tenancy.Route) {
	r, down := b.into, 0
	for _, route := range routes {
		if route.Canary() == nil {
			continue
		}
		if r.canaries == nil {
			r.canaries = make([]*canary, len(routes))
		}
		c := r.canaryWith(route.Canary().Key())
		if c == nil {
			c = b.canary(route)
			if c.fare.givenUp.Load() != nil {
				down++
			}
		}
		r.canaries[route.Index()] = c
	}
	r.metrics.CanariesDown(down)
}

// canary returns the running half of a route's canary. What the former one of the
// same meaning has learned goes on.
func (b *poolBuilder) canary(route *tenancy.Route) *canary {
	rules, tenant := route.Canary(), b.tenant.ID()
	c := &canary{
		rules: rules, tenant: tenant, pool: b.pool(route, rules.Plan()), route: route.Prefix(),
		log: b.server.log, metrics: b.into.metrics, aborts: b.server.options.Aborts,
	}
	if c.fare = b.former.fareOf(rules.Key()); c.fare == nil {
		c.fare = new(fare)
		if c.aborts != nil {
			if abort, ok := c.aborts.Find(tenant, rules.Digest()); ok {
				c.fare.givenUp.Store(&abort)
			}
		}
	}
	if rules.Sticky > 0 {
		c.key = b.server.options.Signing.For(tenant, "canary "+rules.Identity())
		name := c.key.For(tenant, "cookie name")
		// The prefix has browsers take the cookie only from this very host, over
		// TLS (RFC 6265bis section 4.1.3.2); the rest tells nobody a backend.
		c.cookie = fmt.Sprintf("__Host-canary-%x", name[:4])
	}
	return c
}

// fareOf returns what was learned about the canary of a key; nil for nothing.
func (r *running) fareOf(key string) *fare {
	if c := r.canaryWith(key); c != nil {
		return c.fare
	}
	return nil
}

// canaryWith returns the canary of a key, nil for none.
func (r *running) canaryWith(key string) *canary {
	if r == nil {
		return nil
	}
	for _, c := range r.canaries {
		if c != nil && c.rules.Key() == key {
			return c
		}
	}
	return nil
}

// canaryOf returns the canary of a route, nil for none.
func (r *running) canaryOf(route *tenancy.Route) *canary {
	if r.canaries == nil {
		return nil
	}
	return r.canaries[route.Index()]
}

// takes reports whether a request is the canary's: because it asks for it, or by
// the weight.
func (c *canary) takes(ex *exchange) bool {
	if c.fare.givenUp.Load() != nil {
		return false
	}
	if c.asked(ex) {
		return true
	}
	share := c.rules.Percent
	switch {
	case share == 0:
		return false
	case c.rules.Sticky == 0:
		return rand.IntN(100) < share
	}
	bucket, known := c.bucketOf(ex)
	if !known {
		bucket = rand.IntN(buckets)
		ex.dealt = bucket + 1
	}
	return bucket < share*buckets/100
}

// asked reports whether the request has a field or cookie that asks for the
// canary.
func (c *canary) asked(ex *exchange) bool {
	if len(c.rules.Headers)+len(c.rules.Cookies) == 0 {
		return false
	}
	for i := range ex.fields {
		f := &ex.fields[i]
		for j := range c.rules.Headers {
			m := &c.rules.Headers[j]
			if http1.EqualFold(f.Name, m.Name) && string(f.Value) == m.Value {
				return true
			}
		}
		if len(c.rules.Cookies) == 0 || !http1.EqualFold(f.Name, "cookie") {
			continue
		}
		for j := range c.rules.Cookies {
			m := &c.rules.Cookies[j]
			if value, ok := cookieIn(f.Value, m.Name); ok && string(value) == m.Value {
				return true
			}
		}
	}
	return false
}

// bucketOf returns the bucket that the request's cookie says, if we have signed
// it.
func (c *canary) bucketOf(ex *exchange) (bucket int, ok bool) {
	now := ex.s.clock.seconds()
	for i := range ex.fields {
		f := &ex.fields[i]
		if !http1.EqualFold(f.Name, "cookie") {
			continue
		}
		text, found := cookieIn(f.Value, c.cookie)
		if !found {
			continue
		}
		var room [token.ValueBytesMax]byte
		value, until, good := c.key.Read(&room, text, now)
		// Where sticky was longer before, it counts for what it says now.
		if good && len(value) == 2 && until <= now+int64(c.rules.Sticky/time.Second)+1 {
			return int(binary.BigEndian.Uint16(value)) % buckets, true
		}
	}
	return 0, false
}

// addBucket has the client bring its bucket back.
func (ex *exchange) addBucket() {
	c := ex.run.canaryOf(ex.verdict.Route)
	if c == nil || ex.dealt == 0 {
		return
	}
	seconds := int64(c.rules.Sticky / time.Second)
	value := binary.BigEndian.AppendUint16(nil, uint16(ex.dealt-1))
	b := append([]byte(nil), c.cookie...)
	b = c.key.Append(append(b, '='), value, ex.s.clock.seconds()+seconds)
	b = append(b, "; Path=/; Max-Age="...)
	b = strconv.AppendInt(b, seconds, 10)
	b = append(b, "; Secure; HttpOnly; SameSite=Lax"...)
	ex.addField("Set-Cookie", string(b))
}

package proxy

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strconv"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/internal/token"
	"gatehouse/tenancy"
)

// What a sticky client is given is a signed list of places, one for each pool
// that it was placed in: the routes of a host share the cookie, and they may have
// different backends.

const (
	placeBytes = 8
	// placesMost is how many places a cookie has room for. Of more pools, the one
	// that the client was placed in first is forgotten.
	placesMost = 8
)

// A token holds them all.
const _ = uint(token.ValueBytesMax - placesMost*placeBytes)

// placesBrought are places that a client has brought in its cookie, the oldest
// first.
type placesBrought struct {
	n    int
	list [placesMost]uint64
}

func (b *placesBrought) all() []uint64 { return b.list[:b.n] }

// stickyKeys are a tenant's: one signs what its clients are given, the other
// makes places of backends' names.
type stickyKeys struct{ sign, place token.Key }

// stickyOf returns the keys of a tenant that keeps clients with backends, nil for
// one that does not.
func (s *Server) stickyOf(t *tenancy.Tenant) *stickyKeys {
	for _, route := range t.Routes() {
		for _, plan := range route.Plans() {
			if plan.Rules.Sticky.Cookie != "" {
				master := &s.options.Signing
				return &stickyKeys{master.For(t.ID(), "sticky"), master.For(t.ID(), "sticky place")}
			}
		}
	}
	return nil
}

// placing returns what pools make places with.
func (k *stickyKeys) placing() func(name string) uint64 {
	if k == nil {
		return nil
	}
	return k.place.Number
}

// begin begins the request's way through the backends of a pool.
func (t *trip) begin(p *pool.Pool, now time.Time) {
	rules := &p.Plan().Rules
	t.round = p.Round(t.ex.placement(rules.Balance), t.repeatable())
	if rules.Sticky.Cookie == "" {
		return
	}
	t.places.n = 0
	t.ex.readPlaces(rules.Sticky.Cookie, &t.places)
	t.round.Prefer(t.places.all(), now)
}

// readPlaces reads what the client has brought, if we have signed it.
func (ex *exchange) readPlaces(cookie string, into *placesBrought) {
	for i := range ex.fields {
		f := &ex.fields[i]
		if !http1.EqualFold(f.Name, "cookie") {
			continue
		}
		text, found := cookieIn(f.Value, cookie)
		if !found {
			continue
		}
		var room [token.ValueBytesMax]byte
		value, _, good := ex.run.sticky.sign.Read(&room, text, ex.s.clock.seconds())
		if !good || len(value)%placeBytes != 0 {
			continue
		}
		for ; len(value) > 0 && into.n < placesMost; value = value[placeBytes:] {
			into.list[into.n] = binary.BigEndian.Uint64(value)
			into.n++
		}
		return
	}
}

// addPlace has the client bring its new place back.
func (ex *exchange) addPlace(place uint64) {
	t := &ex.work.trip
	p := t.round.Pool()
	var room [token.ValueBytesMax]byte
	value := t.places.with(place, p.Knows, ex.run.knowsPlace, room[:0])
	sticky := p.Plan().Rules.Sticky
	b := append([]byte(nil), sticky.Cookie...)
	b = ex.run.sticky.sign.Append(append(b, '='), value, ex.s.clock.seconds()+int64(sticky.Good()/time.Second))
	b = append(b, "; Path=/"...)
	if sticky.MaxAge > 0 {
		b = append(b, "; Max-Age="...)
		b = strconv.AppendInt(b, int64(sticky.MaxAge/time.Second), 10)
	}
	b = append(b, "; Secure; HttpOnly; SameSite=Lax"...)
	ex.addField("Set-Cookie", string(b))
}

// knowsPlace reports whether one of the tenant's pools has the place.
func (r *running) knowsPlace(place uint64) bool {
	return slices.ContainsFunc(r.distinct, func(p *pool.Pool) bool { return p.Knows(place) })
}

// absent reports a status that a process answers with in place of an application
// that is not there; see [pool.Round.Answered].
func absent(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// with appends the places of other pools than the one that has chosen place, and
// place behind them. Where they are too many, one goes that no pool knows any more,
// or the oldest.
func (b *placesBrought) with(place uint64, chosen, known func(place uint64) bool, value []byte) []byte {
	others := slices.DeleteFunc(b.all(), chosen)
	if len(others) == placesMost {
		gone := max(slices.IndexFunc(others, func(other uint64) bool { return !known(other) }), 0)
		others = slices.Delete(others, gone, gone+1)
	}
	for _, other := range others {
		value = binary.BigEndian.AppendUint64(value, other)
	}
	return binary.BigEndian.AppendUint64(value, place)
}

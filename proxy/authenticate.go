package proxy

import (
	"slices"
	"sync"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
	"gatehouse/internal/password"
	"gatehouse/tenancy"
)

// rooms is memory for credentials, which is empty whenever nobody uses it.
type rooms struct{ pool sync.Pool }

func (r *rooms) take() *password.Room {
	if room, ok := r.pool.Get().(*password.Room); ok {
		return room
	}
	return new(password.Room)
}

func (r *rooms) give(room *password.Room) {
	clear(room[:])
	r.pool.Put(room)
}

// authenticate asks each guard of the route, the widest first, about the name and
// the password that the request brings. It reports false when the exchange is
// over: refused. What was asked for is not forwarded.
func (s *Server) authenticate(ex *exchange) bool {
	guards := ex.verdict.Route.Guards()
	if len(guards) == 0 {
		return true
	}
	ex.guarded = true
	room := s.rooms.take()
	defer s.rooms.give(room)
	credentials, ok := ex.credentials(room)
	if !ok {
		return s.challenge(ex, guards[0])
	}
	in := login{Credentials: credentials, client: limit.AddressOf(ex.client), now: s.clock.at(ex.started)}
	for _, guard := range guards {
		in.guard = guard
		if !s.admitLogin(ex, &in) {
			return false
		}
	}
	return s.admitted(ex, &in, guards)
}

// credentials reads the Authorization field; false where there is none that could
// be right, or more than one.
func (ex *exchange) credentials(room *password.Room) (c password.Credentials, ok bool) {
	var value []byte
	for i := range ex.fields {
		if !http1.EqualFold(ex.fields[i].Name, "authorization") {
			continue
		}
		if value != nil {
			return c, false
		}
		value = ex.fields[i].Value
	}
	return password.ParseBasic(value, room)
}

// admitLogin asks one guard, and refuses unless it admits.
func (s *Server) admitLogin(ex *exchange, in *login) bool {
	began, queued := time.Now(), ex.queued
	a, wait := ex.run.logins.check(in, &s.hashing, func(gate *limit.Gate) (inside, over bool) {
		ticket, inside := gate.Enter()
		if ticket != nil {
			inside, over = s.queue(ex, ticket)
		}
		return inside, over
	})
	ex.queued = queued + time.Since(began) // its backend's time begins now
	switch a {
	case wrong:
		return s.challenge(ex, in.guard)
	case limited:
		return s.refuseFor(ex.at(in.guard.Name(), limitAuth), tenancy.RateLimited, wait)
	case busy:
		return s.refuseFor(ex.at(in.guard.Name(), limitAuth), tenancy.TooManyInFlight, wait)
	}
	return a == right
}

// limitAuth is what refuses whoever is not admitted by name and password.
const limitAuth = "basic_auth"

// challenge says 401 and what is expected (RFC 9110 section 11.6.1).
func (s *Server) challenge(ex *exchange, guard *tenancy.Guard) bool {
	ex.challenge = guard.Challenge()
	return s.refuseFor(ex.at(guard.Name(), limitAuth), tenancy.AuthRequired, 0)
}

// users is who a request comes from: one and the same, as each guard knows them.
type users [tenancy.GuardsMax]*password.User

// admitted reports whether guards admit them, by the hashes that their password
// was checked against.
func (u *users) admitted(guards []*tenancy.Guard) bool {
	for _, guard := range guards {
		if !slices.ContainsFunc(u[:], func(user *password.User) bool { return user != nil && guard.Admits(user) }) {
			return false
		}
	}
	return true
}

// admitted puts on the books who asks, so that a change of the table can end the
// request, and looks whether the table has changed while the password was being
// checked.
func (s *Server) admitted(ex *exchange, in *login, guards []*tenancy.Guard) bool {
	var who users
	for i, guard := range guards {
		who[i], _ = guard.Users().Find(in.Name)
	}
	ex.watch.know(who)
	table := s.snapshot().table
	if table.Tenant(ex.verdict.Tenant.ID()) == ex.verdict.Tenant || !ex.watch.judgeRequest(table, time.Now().Unix()) {
		return true
	}
	return s.challenge(ex, guards[0])
}

// know says who the request in progress comes from.
func (w *watch) know(who users) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request.users, w.request.unknown = who, false
}

package proxy

import (
	"hash/maphash"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/internal/password"
	"gatehouse/tenancy"
)

// What passwords may cost a tenant and the process.
const (
	// hashesMax is how many passwords are hashed at a time for one tenant. The
	// others wait; so a tenant has one place in the queue of all of them, and the
	// tenants take turns.
	hashesMax = 1
	// hashQueueMax is how many more may wait: four seconds of bcrypt at its usual
	// cost.
	hashQueueMax = 16
	// hashersShare is the share of processors that may hash: a half, so that the
	// others serve who is in already.
	hashersShare = 2
	// allHashQueueMax is how many tenants may wait for their turn.
	allHashQueueMax = 1024
	// hashWaitMax is how long each waits in either queue: browsers' users wait for
	// a login as long as that.
	hashWaitMax = 5 * time.Second

	// failuresOfClientMax is how many wrong passwords one client address may send
	// at once: a script with an old password must not shut out its whole office at
	// the first minute, and all that wait above count for as long as they do.
	failuresOfClientMax = 40
	// failureOfClientEvery lets it try again, 5,760 times a day.
	failureOfClientEvery = 15 * time.Second
	// failuresOfUserMax and failureOfUserEvery bound what all clients together may
	// guess about one name: 2,980 times in the first day. More than clients have,
	// because whoever uses it up shuts the user out.
	failuresOfUserMax  = 100
	failureOfUserEvery = 30 * time.Second
)

// failures are how often passwords may be wrong.
var failures = struct{ client, user limit.Quota }{
	limit.Quota{Every: failureOfClientEvery, Burst: failuresOfClientMax},
	limit.Quota{Every: failureOfUserEvery, Burst: failuresOfUserMax},
}

// logins is what a tenant remembers of passwords. Its successor goes on with it,
// so that a reload neither forgives nor asks for a hash again.
type logins struct {
	memory  *password.Memory
	turn    limit.Gate
	seed    maphash.Seed
	clients *limit.Keyed // failures of client addresses
	users   *limit.Keyed // failures of names, by their hash
}

func newLogins(room *limit.Room) *logins {
	l := &logins{memory: password.NewMemory(), seed: maphash.MakeSeed(), clients: limit.NewKeyed(room), users: limit.NewKeyed(room)}
	l.turn.Set(limit.Bounds{Most: hashesMax, Queue: hashQueueMax, Wait: hashWaitMax})
	return l
}

// loginsOf returns the logins of a tenant: the former ones if there are any, nil
// if nobody asks for a password.
func (s *Server) loginsOf(routes []*tenancy.Route, former *running) *logins {
	if former != nil && former.logins != nil {
		return former.logins
	}
	for _, route := range routes {
		if len(route.Guards()) > 0 {
			return newLogins(&s.room)
		}
	}
	return nil
}

func (l *logins) sweep(now time.Time, coarse int64) {
	if l == nil {
		return
	}
	l.memory.Sweep(now)
	l.clients.Sweep(coarse)
	l.users.Sweep(coarse)
}

// close gives back what the logins share with others.
func (l *logins) close() {
	l.clients.Close()
	l.users.Close()
}

// login is a name and a password of a client, for a guard.
type login struct {
	password.Credentials
	guard  *tenancy.Guard
	client limit.Address
	now    int64 // as limit counts it
}

// answer is what became of a login.
type answer uint8

const (
	wrong   answer = iota
	right          // it is somebody whom the guard knows
	limited        // too many were wrong; come again after a while
	busy           // too many wait for their turn
	over           // the exchange has ended meanwhile
)

// turns waits for the caller's turn at a gate; if it reports inside, the caller
// leaves it, whether over or not.
type turns func(*limit.Gate) (inside, over bool)

// check checks a login. Its time depends on the hash, whether the name exists or
// not; only what was right a short while ago is faster. wait is when to come
// again.
func (l *logins) check(in *login, all *limit.Gate, turn turns) (a answer, wait time.Duration) {
	user, known := in.guard.Users().Find(in.Name)
	digest := l.memory.Digest(in.Credentials, user.Hash)
	for {
		check, state := l.memory.Begin(digest, time.Now())
		switch state {
		case password.Known:
			return right, 0
		case password.Busy:
			switch check.Wait() {
			case password.Right:
				return right, 0
			case password.Wrong:
				return wrong, 0
			}
			continue
		}
		outcome := password.Unmade
		defer func() { l.memory.End(digest, check, outcome, time.Now()) }()
		name := l.name(in)
		if wait := l.reserve(in, name); wait > 0 {
			return limited, wait
		}
		a = l.hash(all, turn, func() bool { return user.Hash.Matches(in.Password) && known })
		switch a {
		case wrong:
			outcome = password.Wrong
			return wrong, 0
		case right:
			outcome = password.Right
		}
		l.clients.Give(in.client, failures.client)
		l.users.Give(name, failures.user)
		return a, inFlightRetry
	}
}

// name is what the failures of a name are counted under: two guards may know
// different people by it.
func (l *logins) name(in *login) limit.Address {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteString(in.guard.Name())
	h.WriteByte(0)
	h.Write(in.Name)
	return limit.Address(max(h.Sum64(), 1))
}

// reserve takes one of the failures that client and name may have, until it turns
// out to be none.
func (l *logins) reserve(in *login, name limit.Address) (wait time.Duration) {
	if wait = l.clients.Take(in.client, in.now, failures.client); wait > 0 {
		return wait
	}
	if wait = l.users.Take(name, in.now, failures.user); wait > 0 {
		l.clients.Give(in.client, failures.client) // nobody looked at the password
	}
	return wait
}

// hash asks matches when it is the tenant's turn.
func (l *logins) hash(all *limit.Gate, turn turns, matches func() bool) answer {
	for _, gate := range [...]*limit.Gate{&l.turn, all} {
		inside, ended := turn(gate)
		if inside {
			defer gate.Leave()
		}
		switch {
		case ended:
			return over
		case !inside:
			return busy
		}
	}
	if matches() {
		return right
	}
	return wrong
}

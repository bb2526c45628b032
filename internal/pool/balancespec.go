package pool

import (
	"strings"

	"gatehouse/internal/conf"
)

// BalanceSpec is how requests are shared out, as written: a word, or a map.
type BalanceSpec struct {
	conf.Whole
	By   conf.At[string] `conf:"by,short,one" enum:"round_robin|least_requests" doc:"round_robin: in turn, by weight; least_requests: of two that are drawn by weight, the one with fewer requests in progress for its weight" example:"least_requests"`
	Hash *HashSpec       `conf:"hash,one" doc:"requests that agree in this go to the same backend while it takes requests; when one fails, its share alone moves"`
}

// HashSpec is what requests of one backend have in common. A request without
// the field or cookie is placed by its client's address.
type HashSpec struct {
	conf.Whole
	By     conf.At[string] `conf:"by,short,one" enum:"client" doc:"client: the client's address, an IPv6 address by its /64" example:"client"`
	Header conf.At[string] `conf:"header,one" doc:"the value of this field of the request" example:"X-Workspace"`
	Cookie conf.At[string] `conf:"cookie,one" doc:"the value of this cookie" example:"session"`
}

// Policy is how requests are shared out.
type Policy uint8

// The policies. The zero Policy is RoundRobin.
const (
	RoundRobin Policy = iota
	LeastRequests
	HashClient
	HashHeader
	HashCookie
)

// Balance is a policy and what it looks at. The zero Balance is round robin.
type Balance struct {
	Policy Policy
	Name   string // of the field, in lower case, or of the cookie
}

// Hashes reports whether a request's place is given by what it carries.
func (b Balance) Hashes() bool { return b.Policy >= HashClient }

// String returns the policy as it is written.
func (b Balance) String() string {
	switch b.Policy {
	case LeastRequests:
		return "least_requests"
	case HashClient:
		return "hash by client"
	case HashHeader:
		return "hash by header " + b.Name
	case HashCookie:
		return "hash by cookie " + b.Name
	}
	return "round_robin"
}

// CheckConf refuses names that no field or cookie can have (RFC 9110 5.6.2).
func (s *HashSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	for _, n := range []struct {
		key string
		at  conf.At[string]
	}{{"header", s.Header}, {"cookie", s.Cookie}} {
		if n.at.Set() && !isToken(n.at.V) {
			r.Fault(n.at.Pos, "", "%s %q is no name; expected letters, digits and -", n.key, n.at.V)
		}
	}
}

// nameBytesMax bounds the names of fields and cookies that requests are placed
// by; each request is searched for it.
const nameBytesMax = 64

// isToken reports whether name is a token of RFC 9110 5.6.2, and not overlong.
func isToken(name string) bool {
	if name == "" || len(name) > nameBytesMax {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return true
}

// Compile returns the balance that s declares; nil declares none.
func (s *BalanceSpec) Compile() Balance {
	switch {
	case s == nil:
		return Balance{}
	case s.By.V == "least_requests":
		return Balance{Policy: LeastRequests}
	case s.Hash == nil:
		return Balance{}
	case s.Hash.Header.Set():
		return Balance{HashHeader, strings.ToLower(s.Hash.Header.V)}
	case s.Hash.Cookie.Set():
		return Balance{HashCookie, s.Hash.Cookie.V}
	}
	return Balance{Policy: HashClient}
}

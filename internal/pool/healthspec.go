package pool

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/conf"
)

// HealthSpec is how backends are looked at without being asked anything by a
// client, as written: a path, off, or a map.
type HealthSpec struct {
	Pos     conf.Pos
	Path    conf.At[conf.OrOff[CheckPath]] `conf:"path,short" default:"off" doc:"what is asked for by GET on a connection of its own, dialled and verified as for requests" example:"/healthz" also:"uri,url,endpoint"`
	Every   conf.At[conf.Duration]         `conf:"every" default:"5s" doc:"how often, 500ms to 1h, give or take a tenth" example:"10s" also:"interval,period"`
	Timeout conf.At[conf.Duration]         `conf:"timeout" default:"2s" doc:"how long all of it may take, 50ms to 1m; every at most" example:"1s"`
	Rise    conf.At[int]                   `conf:"rise" default:"2" doc:"after how many good answers in a row a backend gets requests again, 1 to 100" example:"3" also:"healthythreshold,successes"`
	Fall    conf.At[int]                   `conf:"fall" default:"3" doc:"after how many bad ones in a row it gets none, 1 to 100" example:"2" also:"unhealthythreshold,failures"`
	Status  conf.OneOrMany[StatusRange]    `conf:"status" default:"200-399" doc:"the statuses of a good answer: one, a range, or a list of these" example:"[200, 204, 300-399]" also:"code,codes,expectedstatus"`
	Body    conf.At[string]                `conf:"body" default:"any" doc:"text that stands in the first 64 KiB of a good answer's body, at most 1024 bytes" example:"ready"`
	Port    conf.At[int]                   `conf:"port" default:"the backend's" doc:"port that is asked in place of the backend's own" example:"9000"`
	Host    conf.At[string]                `conf:"host" default:"the backend's" doc:"what Host says" example:"app.internal"`
	Start   conf.At[string]                `conf:"start" enum:"up|down" default:"up" doc:"down: a backend that is new gets requests only after its first good answer" example:"down"`

	Elsewhere conf.Elsewhere `conf:"tls,https,ssl,scheme" doc:"checks are by https where the url of the backend begins with https://"`
}

// CheckPath is the path, and query, of a check.
type CheckPath string

// checkPathBytesMax is a bound for what goes out every few seconds.
const checkPathBytesMax = 1024

// ConfType describes paths.
func (*CheckPath) ConfType() conf.Type {
	return conf.Type{Name: "path", Pattern: `^/[!-"$-~]*$`, Example: "/healthz"}
}

// ParseConf reads a path that may have a query.
func (p *CheckPath) ParseConf(text string) error {
	ok := strings.HasPrefix(text, "/") && len(text) <= checkPathBytesMax
	for i := range len(text) {
		ok = ok && text[i] > ' ' && text[i] < 0x7f && text[i] != '#'
	}
	if !ok {
		return fmt.Errorf("%q is not a path; write it like %q", text, "/healthz")
	}
	*p = CheckPath(text)
	return nil
}

// StatusRange is one status or all from one to another.
type StatusRange struct{ First, Last int }

// ConfType describes statuses.
func (*StatusRange) ConfType() conf.Type {
	return conf.Type{Name: "status", Pattern: `^[2-5][0-9]{2}(-[2-5][0-9]{2})?$`, Example: "200-299"}
}

// ParseConf reads "204" or "200-399".
func (r *StatusRange) ParseConf(text string) error {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(last)
	if errA != nil || errB != nil || len(first) != 3 || len(last) != 3 || a < 200 || b > 599 || a > b {
		return fmt.Errorf("%q is no status of a final answer; write it like %q or %q", text, "200", "200-399")
	}
	r.First, r.Last = a, b
	return nil
}

// String returns r as ParseConf reads it.
func (r StatusRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(r.First)
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// What a check may be set to.
const (
	checkEveryLeast   = 500 * time.Millisecond // a check takes a connection
	checkEveryMost    = time.Hour
	checkTimeoutLeast = 50 * time.Millisecond
	checkTimeoutMost  = time.Minute
	checkCountMost    = 100  // of rise and fall
	checkBodyMost     = 1024 // bytes of the text that is looked for
)

// CheckConf holds what is written to its bounds.
func (s *HealthSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	for _, t := range []struct {
		key         string
		at          conf.At[conf.Duration]
		least, most time.Duration
	}{
		{"every", s.Every, checkEveryLeast, checkEveryMost},
		{"timeout", s.Timeout, checkTimeoutLeast, checkTimeoutMost},
	} {
		if d := time.Duration(t.at.V); t.at.Set() && (d < t.least || d > t.most) {
			r.Fault(t.at.Pos, "", "%s is %q; expected %s to %s", t.key, t.at.V, conf.Duration(t.least), conf.Duration(t.most))
		}
	}
	for _, n := range []struct {
		key  string
		at   conf.At[int]
		most int
	}{{"rise", s.Rise, checkCountMost}, {"fall", s.Fall, checkCountMost}, {"port", s.Port, 65535}} {
		if n.at.Set() && (n.at.V < 1 || n.at.V > n.most) {
			r.Fault(n.at.Pos, "", "%s is %d; expected 1 to %d", n.key, n.at.V, n.most)
		}
	}
	if s.Status.Empty() {
		r.Fault(s.Status.Pos, "", "status names none; expected at least one")
	}
	if n := len(s.Body.V); s.Body.Set() && (n == 0 || n > checkBodyMost) {
		r.Fault(s.Body.Pos, "leave it out if any body is good", "body has %d bytes; expected 1 to %d", n, checkBodyMost)
	}
	if s.Host.Set() && !isHostField(s.Host.V) {
		r.Fault(s.Host.Pos, "", "host %q is neither a name nor an address, with or without a port", s.Host.V)
	}
}

// isHostField reports whether text may stand in Host (RFC 9110 7.2), roughly:
// what matters is that it is one value.
func isHostField(text string) bool {
	for i := range len(text) {
		c := text[i]
		if !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(".-_:[]", c) >= 0) {
			return false
		}
	}
	return text != "" && len(text) <= 253+len(":65535") // RFC 1035 2.3.4
}

// Health is how backends are looked at. The zero Health does not look.
type Health struct {
	Path           string // "" for none
	Every, Timeout time.Duration
	Rise, Fall     int
	Body, Host     string
	Port           uint16 // 0: the backend's own
	StartsDown     bool
	good           statuses
}

// statuses is a set of them.
type statuses [10]uint64

func (s *statuses) add(r StatusRange) {
	for n := r.First; n <= r.Last; n++ {
		s[n/64] |= 1 << (n % 64)
	}
}

func (s *statuses) has(n int) bool { return n >= 200 && n < 600 && s[n/64]&(1<<(n%64)) != 0 }

// The built-in values. Five seconds and three bad answers notice a hung process
// within twenty seconds; one that is dead is noticed by the first request.
const (
	checkEvery   = 5 * time.Second
	checkTimeout = 2 * time.Second
	checkRise    = 2
	checkFall    = 3
)

// Compile returns what s, merged, declares; nil declares none.
func (s *HealthSpec) Compile() Health {
	if s == nil || !s.Path.Set() || s.Path.V.Off {
		return Health{}
	}
	h := Health{
		Path: string(s.Path.V.V), Body: s.Body.V, Host: s.Host.V, Port: uint16(s.Port.V), StartsDown: s.Start.V == "down",
		Every:   time.Duration(s.Every.Or(conf.Duration(checkEvery))),
		Timeout: time.Duration(s.Timeout.Or(conf.Duration(checkTimeout))),
		Rise:    s.Rise.Or(checkRise), Fall: s.Fall.Or(checkFall),
	}
	h.Timeout = min(h.Timeout, h.Every)
	for _, r := range s.Status.Values() {
		h.good.add(r)
	}
	if !s.Status.Set() {
		h.good.add(StatusRange{200, 399})
	}
	return h
}

// asksLike reports whether both ask the same question, and differ at most in when,
// and in how many answers count.
func (h Health) asksLike(other Health) bool {
	h.Every, h.Timeout, h.Rise, h.Fall, h.StartsDown = other.Every, other.Timeout, other.Rise, other.Fall, other.StartsDown
	return h == other
}

// Cut reports whether every ends checks before the timeout that is written.
func (s *HealthSpec) Cut() bool {
	return time.Duration(s.Timeout.V) > time.Duration(s.Every.Or(conf.Duration(checkEvery)))
}

// Address returns the host and port that checks of a backend go to.
func (h Health) Address(b *Backend) string {
	if h.Port == 0 || h.Path == "" {
		return b.address
	}
	return net.JoinHostPort(strings.TrimSuffix(b.dialHost, "."), strconv.Itoa(int(h.Port)))
}

// String returns the check in words.
func (h Health) String() string {
	if h.Path == "" {
		return "not checked"
	}
	return fmt.Sprintf("checked by GET %s every %s", h.Path, conf.Duration(h.Every))
}

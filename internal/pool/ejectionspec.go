package pool

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/conf"
)

// EjectionSpec is when a backend that fails requests gets none for a while, as
// written: a number of failures, off, or a map.
type EjectionSpec struct {
	Failures conf.At[conf.OrOff[conf.Count]] `conf:"failures,short" default:"5" doc:"after how many failures in a row, 1 to 1000: it cannot be connected to or verified, resets a fresh connection, is silent for first_byte, or answers 502, 503 or 504. off: never" example:"3" also:"maxfails,maxfailures,consecutive"`
	First    conf.At[conf.Duration]          `conf:"first" default:"10s" doc:"for how long at first, 1s to 1h; then one request tries it, and each time that fails the time doubles" example:"30s"`
	Longest  conf.At[conf.Duration]          `conf:"longest" default:"5m" doc:"what that time grows to, first to 24h" example:"1m"`
	Share    conf.At[conf.Percent]           `conf:"share" default:"50%" doc:"how much of a pool may be ejected at a time, rounded down but at least one backend; the last one never is" example:"25%"`

	Errors conf.At[conf.OrOff[conf.Percent]] `conf:"errors" default:"off" doc:"share of its requests that a backend fails, 1% to 100%, at which it is ejected as well: as for failures, or answered with any of 500 to 599" example:"50%"`
	Of     conf.At[int]                      `conf:"of" default:"20" doc:"how many requests errors is a share of at least, 1 to 1000000" example:"100"`
	Within conf.At[conf.Duration]            `conf:"within" default:"10s" doc:"over how long they are counted, 1s to 1h" example:"1m"`
	Last   conf.At[bool]                     `conf:"last" default:"false" doc:"true: the last backend may be ejected as well, whatever share says, and ejected ones get nothing but the requests that try them, so that it is 503 where all are" example:"true"`
}

// Ejection is when a backend that fails requests gets none for a while. The zero
// Ejection is never.
type Ejection struct {
	Failures int // in a row; 0: never
	First    time.Duration
	Longest  time.Duration
	Share    int // percent of the pool
	Errors   int // percent of at least Of requests Within; 0: never
	Of       int
	Within   time.Duration
	Last     bool // all of the pool may be ejected; then it takes no requests
}

// off reports whether nothing ejects a backend.
func (e *Ejection) off() bool { return e.Failures == 0 && e.Errors == 0 }

// builtinEjection: five failures in a row are no accident, and ten seconds are
// what a process takes to start. Half of the pool remains, whatever is wrong:
// what fails on every backend is no fault of one.
var builtinEjection = Ejection{Failures: 5, First: 10 * time.Second, Longest: 5 * time.Minute, Share: 50}

const (
	// ejectionFailuresMost is more patience than any client has.
	ejectionFailuresMost = 1000
	// ejectionFirstLeast is about the time that a connection takes to fail.
	ejectionFirstLeast = time.Second
	// ejectionFirstMost and ejectionLongestMost: what is away for longer is taken
	// out by state: down.
	ejectionFirstMost   = time.Hour
	ejectionLongestMost = 24 * time.Hour

	// ejectionOf: of fewer requests, one error is too many per cent.
	ejectionOf = 20
	// ejectionOfMost is more than a backend takes in ejectionWithinMost.
	ejectionOfMost = 1_000_000
	// ejectionWithin is as long as an ejection lasts at first.
	ejectionWithin      = 10 * time.Second
	ejectionWithinLeast = time.Second
	ejectionWithinMost  = time.Hour
)

// CheckConf holds what is written to its bounds.
func (s *EjectionSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if f := s.Failures; f.Set() && !f.V.Off && (f.V.V < 1 || f.V.V > ejectionFailuresMost) {
		r.Fault(f.Pos, "write off for no ejection", "failures is %d; expected 1 to %d, or off", f.V.V, ejectionFailuresMost)
	}
	for _, t := range []struct {
		key         string
		at          conf.At[conf.Duration]
		least, most time.Duration
	}{
		{"first", s.First, ejectionFirstLeast, ejectionFirstMost},
		{"longest", s.Longest, ejectionFirstLeast, ejectionLongestMost},
		{"within", s.Within, ejectionWithinLeast, ejectionWithinMost},
	} {
		if d := time.Duration(t.at.V); t.at.Set() && (d < t.least || d > t.most) {
			r.Fault(t.at.Pos, "", "%s is %q; expected %s to %s", t.key, t.at.V, conf.Duration(t.least), conf.Duration(t.most))
		}
	}
	if s.First.Set() && s.Longest.Set() && s.Longest.V < s.First.V {
		r.Fault(s.Longest.Pos, "", "longest is %q, less than first, which is %q; expected that or more", s.Longest.V, s.First.V)
	}
	if e := s.Errors; e.Set() && !e.V.Off && e.V.V < 1 {
		r.Fault(e.Pos, "", "errors is %q; expected 1%% to 100%%, or off", e.V.V)
	}
	if of := s.Of; of.Set() && (of.V < 1 || of.V > ejectionOfMost) {
		r.Fault(of.Pos, "", "of is %d; expected 1 to %d", of.V, ejectionOfMost)
	}
	if s.Share.Set() && s.Share.V < 1 {
		r.Fault(s.Share.Pos, "write failures: off for no ejection", "share is %q; expected 1%% to 100%%", s.Share.V)
	}
}

// Compile returns what s, merged, declares; nil declares the built-in.
func (s *EjectionSpec) Compile() Ejection {
	e := builtinEjection
	if s == nil {
		return e
	}
	if s.Failures.Set() {
		e.Failures = int(s.Failures.V.V) // 0 where it is off
	}
	if s.Errors.Set() && !s.Errors.V.Off {
		e.Errors, e.Of = int(s.Errors.V.V), s.Of.Or(ejectionOf)
		e.Within = time.Duration(s.Within.Or(conf.Duration(ejectionWithin)))
	}
	if e.off() {
		return Ejection{}
	}
	e.Last = s.Last.V
	e.First = time.Duration(s.First.Or(conf.Duration(e.First)))
	e.Longest = max(e.First, time.Duration(s.Longest.Or(conf.Duration(e.Longest))))
	e.Share = int(s.Share.Or(conf.Percent(e.Share)))
	return e
}

// String returns the rule in words.
func (e Ejection) String() string {
	if e.off() {
		return "ejection off"
	}
	var when []string
	if e.Failures > 0 {
		when = append(when, fmt.Sprintf("after %d failures in a row", e.Failures))
	}
	if e.Errors > 0 {
		when = append(when, fmt.Sprintf("at %d%% errors of at least %d requests within %s", e.Errors, e.Of, conf.Duration(e.Within)))
	}
	much := fmt.Sprintf("%d%% of the pool", e.Share)
	if e.Last {
		much = "all of the pool"
	}
	return fmt.Sprintf("ejected %s for %s, at most for %s, and %s",
		strings.Join(when, " or "), conf.Duration(e.First), conf.Duration(e.Longest), much)
}

// why says that so many requests have failed of all within the time, the last one
// so.
func (e *Ejection) why(failed, all int64, how string) string {
	return fmt.Sprintf("%d of %d requests failed within %s, the last: %s", failed, all, conf.Duration(e.Within), how)
}

// may reports whether one more of n backends may be ejected beside ejected.
func (e Ejection) may(ejected, n int) bool { return ejected < min(n-1, max(1, n*e.Share/100)) }

// next returns how long an ejection lasts that follows one of the given length.
func (e Ejection) next(length time.Duration) time.Duration {
	return min(max(e.First, 2*length), e.Longest)
}

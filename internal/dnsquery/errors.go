package dnsquery

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is a way in which a question stays without an answer.
type Kind uint8

// The kinds.
const (
	NotAName      Kind = iota + 1 // what was asked about cannot be in DNS
	NoSuchName                    // NXDOMAIN: nothing has this name
	TooMuch                       // the answer leads through more aliases, or has more records, than anybody needs
	BadAlias                      // an alias leads to something that is no host name
	ServerFailure                 // SERVFAIL: the resolver got no good answer from the name's own servers
	Refused                       // REFUSED, NOTIMP and other codes: the resolver does not want to answer
	Malformed                     // what came is no answer to what was asked
	Timeout                       // nothing came in time
	Unreachable                   // the network says that there is nobody
	NoServers                     // there is no resolver to ask
	NoAddress                     // the name exists, and no address belongs to it
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case NotAName:
		return "it is no DNS name"
	case NoSuchName:
		return "no such name"
	case TooMuch:
		return "too many aliases or records"
	case BadAlias:
		return "an alias leads to no host"
	case ServerFailure:
		return "SERVFAIL"
	case Refused:
		return "refused"
	case Malformed:
		return "the answer is malformed"
	case Timeout:
		return "no answer in time"
	case Unreachable:
		return "unreachable"
	case NoServers:
		return "no resolver is known"
	case NoAddress:
		return "it has no address"
	}
	return "unknown"
}

// Error says which question stayed without an answer, and why.
type Error struct {
	Kind   Kind
	Name   string // what was asked about, without its last dot
	Type   string // "A", "CAA"
	Server string // who was asked last, host:port; may be empty
	Detail string // more about it: the code, the words of an extended error (RFC 8914); may be empty
}

// Error returns it in one line, fit for a log.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "look up %s of %s", e.Type, e.Name)
	if e.Server != "" {
		fmt.Fprintf(&b, " at %s", e.Server)
	}
	fmt.Fprintf(&b, ": %s", e.Kind)
	if e.Detail != "" {
		fmt.Fprintf(&b, " (%s)", e.Detail)
	}
	return b.String()
}

// KindOf returns the kind of an error of this package, or 0.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// detailMax bounds words of a stranger that go into an error: enough for a
// sentence.
const detailMax = 200

// printable keeps what a terminal shows harmlessly, and bounds it.
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), detailMax)]
}

package dnsquery

import (
	"cmp"
	"context"
	"net"
	"time"

	"github.com/miekg/dns"
)

const (
	// attemptTimeout is for one server and one attempt: a resolver that has to
	// ask far away needs a second or two.
	attemptTimeout = 3 * time.Second

	// lookupTimeout bounds one question with all its attempts, servers and
	// aliases, so that a domain whose servers are silent holds nobody up for long.
	lookupTimeout = 15 * time.Second

	// rounds is how often each server is asked: datagrams get lost.
	rounds = 2

	// serversMost bounds how many servers are asked about one name. The C
	// library asks three.
	serversMost = 8

	// systemConfig is where the C library finds its resolvers (resolv.conf(5)).
	systemConfig = "/etc/resolv.conf"

	// systemHosts is where it finds names that are known without asking
	// (hosts(5)).
	systemHosts = "/etc/hosts"
)

// Options are what a Resolver may be told. The zero value is good.
type Options struct {
	Timeout time.Duration // for one attempt at one server; 0: three seconds
	Config  string        // file that names the system's resolvers; empty: /etc/resolv.conf
	Hosts   string        // file that names hosts; empty: /etc/hosts
}

// Resolver asks recursive servers. It is safe for concurrent use, and remembers no
// answer.
type Resolver struct {
	servers []string
	timeout time.Duration
	config  string
	hosts   *hostsFile
}

// New returns a Resolver that asks the servers given as host:port, in this
// order; without any, those of the system, as they are at the time of asking.
func New(servers []string, o Options) *Resolver {
	return &Resolver{
		servers: servers[:min(len(servers), serversMost)],
		timeout: cmp.Or(o.Timeout, attemptTimeout),
		config:  cmp.Or(o.Config, systemConfig),
		hosts:   &hostsFile{path: cmp.Or(o.Hosts, systemHosts)},
	}
}

// Servers returns whom the Resolver asks, host:port.
func (r *Resolver) Servers() []string {
	if len(r.servers) > 0 {
		return r.servers
	}
	system, err := dns.ClientConfigFromFile(r.config)
	if err != nil {
		return nil
	}
	var out []string
	for _, server := range system.Servers[:min(len(system.Servers), serversMost)] {
		out = append(out, net.JoinHostPort(server, system.Port))
	}
	return out
}

// Alive reports whether any resolver answers at all: it is asked about the name
// servers of the root. After a failed lookup this tells a domain whose own
// servers do not answer from a resolver that is down.
func (r *Resolver) Alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, err := r.ask(ctx, ".", dns.TypeNS)
	kind := KindOf(err)
	return err == nil || kind == NoSuchName || kind == Refused
}

// ask puts a question to the servers, each in turn, until one answers it:
// with records, with none, or with the word that there is no such name, which
// is an Error of kind NoSuchName. name has its last dot.
func (r *Resolver) ask(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	worst := &Error{Kind: NoServers}
	servers := r.Servers()
	for range rounds {
		for _, server := range servers {
			m, failure := r.try(ctx, server, name, qtype)
			if failure == nil {
				return m, nil
			}
			failure.Server = server
			if failure.Kind == NoSuchName {
				return m, told(failure, name, qtype)
			}
			if failure.Kind <= worst.Kind { // what says most is kept
				worst = failure
			}
			if ctx.Err() != nil {
				return nil, told(worst, name, qtype)
			}
		}
	}
	return nil, told(worst, name, qtype)
}

func told(e *Error, name string, qtype uint16) *Error {
	e.Name, e.Type = shown(name), dns.TypeToString[qtype]
	return e
}

// try asks one server once: by UDP, and by TCP where the answer does not fit.
func (r *Resolver) try(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, *Error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	m, failure := exchange(ctx, "udp", server, question(name, qtype))
	if failure == nil && m.Truncated {
		m, failure = exchange(ctx, "tcp", server, question(name, qtype))
	}
	if failure != nil {
		return nil, failure
	}
	switch m.Rcode {
	case dns.RcodeSuccess:
		if !m.RecursionAvailable && !m.Authoritative && len(m.Answer) == 0 {
			return nil, &Error{Kind: Refused, Detail: "it refers to other servers and is no resolver"}
		}
		return m, nil
	case dns.RcodeNameError:
		return m, &Error{Kind: NoSuchName}
	case dns.RcodeServerFailure:
		return nil, &Error{Kind: ServerFailure, Detail: extended(m)}
	}
	return nil, &Error{Kind: Refused, Detail: codeOf(m.Rcode)}
}

// question is a query that wants recursion.
func question(name string, qtype uint16) *dns.Msg {
	q := new(dns.Msg).SetQuestion(name, qtype)
	q.SetEdns0(datagramBytes, false)
	return q
}

// extended returns what an extended error says (RFC 8914), or nothing.
func extended(m *dns.Msg) string {
	opt := m.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		if e, ok := o.(*dns.EDNS0_EDE); ok {
			words := dns.ExtendedErrorCodeToString[e.InfoCode]
			if e.ExtraText != "" {
				words += ": " + e.ExtraText
			}
			return printable(words)
		}
	}
	return ""
}

func codeOf(rcode int) string {
	if word, ok := dns.RcodeToString[rcode]; ok {
		return word
	}
	return "an unknown code"
}

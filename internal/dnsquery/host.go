package dnsquery

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// familyGrace is how long the addresses of one family wait for those of the
	// other: some servers never answer about AAAA.
	familyGrace = time.Second

	// candidatesMost bounds the names that a search list makes of one. The C
	// library took six for decades.
	candidatesMost = 8

	// hostRecordsMost is what a name may have of one type where it names servers
	// that do the same: all that a message of 64 KiB can hold.
	hostRecordsMost = 4096

	// fileTTL is how long an answer of the hosts file counts.
	fileTTL = 5 * time.Second
)

// Family is the addresses of a host of one address family.
type Family struct {
	Addresses []netip.Addr // each once, in order
	Err       error        // why nothing is known of them; "there are none" is no error
}

// HostAnswer is where a host is.
type HostAnswer struct {
	V4, V6 Family
	TTL    time.Duration // how long it counts: the least of all records on the way
}

// Host returns where a host is as programs on this machine see it: what the hosts
// file says, or what DNS does, aliases followed. Where the servers are those of
// the system, its search list counts for names that do not end in a dot
// (resolv.conf(5)). An error says that it is nowhere; where one of the two
// families has addresses and the other no answer, it is none. A name of the search
// list that cannot be asked about ends the search: the next one may be another
// host.
func (r *Resolver) Host(ctx context.Context, name string) (HostAnswer, error) {
	full, ok := absolute(name)
	if !ok {
		return HostAnswer{}, told(&Error{Kind: NotAName}, full, dns.TypeA)
	}
	if found := r.hosts.find(strings.TrimSuffix(full, ".")); len(found) > 0 {
		return fromFile(found), nil
	}
	answer, err := r.firstOf(ctx, r.candidates(name))
	if KindOf(err) == NoSuchName || KindOf(err) == NoAddress {
		err = told(&Error{Kind: KindOf(err)}, full, dns.TypeA)
	}
	return answer, err
}

// firstOf returns the addresses of the first of these names that has any.
func (r *Resolver) firstOf(ctx context.Context, candidates []string) (HostAnswer, error) {
	nothing := NoSuchName
	for _, candidate := range candidates {
		answer := r.families(ctx, candidate)
		switch err := answer.fault(); KindOf(err) {
		case 0:
			return answer, nil
		case NoSuchName:
		case NoAddress:
			nothing = NoAddress
		default:
			return HostAnswer{}, err
		}
	}
	return HostAnswer{}, &Error{Kind: nothing}
}

// fault says why the answer has no address; nil if it has one.
func (a *HostAnswer) fault() error {
	first, second := a.V4.Err, a.V6.Err
	switch {
	case len(a.V4.Addresses)+len(a.V6.Addresses) > 0:
		return nil
	case first == nil && second != nil:
		return second
	case first != nil:
		return first
	}
	return &Error{Kind: NoAddress}
}

// candidates returns the names that a name may stand for, with their last dots.
func (r *Resolver) candidates(name string) []string {
	if len(r.servers) == 0 {
		if system, err := dns.ClientConfigFromFile(r.config); err == nil {
			list := system.NameList(name)
			return list[:min(len(list), candidatesMost)]
		}
	}
	return []string{dns.Fqdn(name)}
}

// families asks for the addresses of both families at the same time.
func (r *Resolver) families(ctx context.Context, name string) HostAnswer {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	type part struct {
		qtype uint16
		family
	}
	parts := make(chan part, 2)
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		go func() { parts <- part{qtype, r.family(ctx, name, qtype)} }()
	}
	var answer HostAnswer
	ttl := uint32(1<<31 - 1)
	for range 2 {
		p := <-parts
		if p.qtype == dns.TypeA {
			answer.V4 = p.Family
		} else {
			answer.V6 = p.Family
		}
		if len(p.Addresses) > 0 {
			ttl = min(ttl, p.ttl)
			late := time.AfterFunc(familyGrace, cancel)
			defer late.Stop()
		}
	}
	answer.TTL = time.Duration(ttl) * time.Second
	return answer
}

// family is a Family with the seconds that it counts.
type family struct {
	Family
	ttl uint32
}

func (r *Resolver) family(ctx context.Context, name string, qtype uint16) family {
	full, ok := absolute(name)
	if !ok {
		return family{Family: Family{Err: told(&Error{Kind: NotAName}, full, qtype)}}
	}
	t, err := r.trace(ctx, full, qtype, hostRecordsMost)
	f := family{ttl: t.ttl}
	for _, rr := range t.records {
		if a, ok := addressOf(rr); ok {
			f.Addresses = append(f.Addresses, a)
		}
	}
	f.Addresses, f.Err = ordered(f.Addresses), err
	return f
}

// ordered sorts addresses and leaves each once.
func ordered(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

func fromFile(found []netip.Addr) HostAnswer {
	answer := HostAnswer{TTL: fileTTL}
	for _, a := range ordered(slices.Clone(found)) {
		if a.Is4() {
			answer.V4.Addresses = append(answer.V4.Addresses, a)
		} else {
			answer.V6.Addresses = append(answer.V6.Addresses, a)
		}
	}
	return answer
}

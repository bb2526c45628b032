package acme

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"gatehouse/internal/dnsquery"
)

// AddressReport is one address of a host, and whether it leads here.
type AddressReport struct {
	Address netip.Addr `json:"address"`
	Reaches bool       `json:"reaches"`
	Why     string     `json:"why"` // in words
}

// reach is what the addresses of a host say about the way to us.
type reach struct {
	fine      bool
	unsure    bool // DNS did not answer: nothing is known
	text      string
	records   []string // what the owner must set, where that is known
	addresses []AddressReport
	aliases   []string
}

// probesMost bounds the addresses that are tried out: a name with more that are
// not ours leads elsewhere.
const probesMost = 4

// reach asks DNS for the addresses of a host and looks whether any leads here.
func (p *preflight) reach(ctx context.Context, h Host, ca *authority, s *Settings) reach {
	addresses, aliases, err := s.dns.Addresses(ctx, h.Name)
	r := reach{aliases: aliases, records: p.wanted(h.Name, ca, s)}
	switch {
	case err != nil:
		r.text, r.unsure = p.silent(ctx, s, err)
		return r
	case len(addresses) == 0:
		r.text = h.Name + " has no A or AAAA record"
		if len(aliases) > 0 {
			r.text = fmt.Sprintf("%s is an alias of %s, which has no A or AAAA record", h.Name, aliases[len(aliases)-1])
		}
		return r
	}
	r.addresses = p.judgeAddresses(ctx, h.Name, addresses, ca, s)
	var here, away []string
	for _, a := range r.addresses {
		if a.Reaches {
			here = append(here, a.Address.String())
		} else {
			away = append(away, fmt.Sprintf("%s (%s)", a.Address, a.Why))
		}
	}
	r.fine = len(here) > 0
	switch {
	case r.fine && len(away) == 0:
		r.text = fmt.Sprintf("%s leads here (%s)", h.Name, strings.Join(here, ", "))
	case r.fine:
		r.text = fmt.Sprintf("%s leads here (%s), and elsewhere: %s; authorities may look at any of them", h.Name, strings.Join(here, ", "), strings.Join(away, ", "))
	default:
		r.text = fmt.Sprintf("%s does not lead here: %s", h.Name, strings.Join(away, ", "))
	}
	if !r.fine && len(r.records) == 0 {
		r.text += "; which addresses lead here is not known, preflight.addresses of acme can say it"
	}
	return r
}

// silent says why DNS gave no addresses, and whether that is the resolver's
// doing rather than the owner's.
func (p *preflight) silent(ctx context.Context, s *Settings, err error) (text string, unsure bool) {
	switch kind := dnsquery.KindOf(err); kind {
	case dnsquery.NoSuchName, dnsquery.TooMuch, dnsquery.BadAlias, dnsquery.NotAName:
		return err.Error(), false
	case dnsquery.ServerFailure, dnsquery.Timeout:
		// Resolvers answer so for a domain whose own servers do not.
		if ctx.Err() == nil && s.dns.Alive(ctx) {
			return err.Error() + "; the resolver works otherwise: the domain's own name servers do not answer, or their signatures (DNSSEC) are wrong", false
		}
	}
	return err.Error() + "; DNS could not be asked, which says nothing about the host", true
}

// judgeAddresses judges each address. Those that are neither ours nor out of the
// question are tried out, the first few at a time.
func (p *preflight) judgeAddresses(ctx context.Context, host string, addresses []netip.Addr, ca *authority, s *Settings) []AddressReport {
	out := make([]AddressReport, 0, min(len(addresses), addressesMost))
	own := p.own(ca, s)
	var probes sync.WaitGroup
	probed := 0
	for _, a := range addresses[:min(len(addresses), addressesMost)] {
		out = append(out, AddressReport{Address: a})
		r := &out[len(out)-1]
		kind := special(a)
		switch {
		case slices.Contains(own, a):
			r.Reaches, r.Why = true, "ours"
		case kind != "":
			r.Why = kind + ", which leads to no public server"
		case !slices.Contains(s.challenges, "http-01"):
			r.Why = "not ours"
		case probed == probesMost:
			r.Why = "not ours; not tried out"
		default:
			probed++
			probes.Go(func() { r.Reaches, r.Why = p.probe(ctx, host, a) })
		}
	}
	probes.Wait()
	return out
}

// addressesMost bounds the addresses that are judged and told.
const addressesMost = 16

// own returns the addresses that lead here: those of the settings, else this
// machine's. A public authority does not reach private ones.
func (p *preflight) own(ca *authority, s *Settings) []netip.Addr {
	if len(s.preflight.addresses) > 0 {
		return s.preflight.addresses
	}
	return slices.DeleteFunc(p.machine(), func(a netip.Addr) bool {
		return special(a) != "" && (isPublic(ca) || !a.IsPrivate())
	})
}

// wanted are the records that let a host lead here: one for each family of
// addresses that we have.
func (p *preflight) wanted(host string, ca *authority, s *Settings) (records []string) {
	own := p.own(ca, s)
	for _, kind := range []string{"A", "AAAA"} {
		at := slices.IndexFunc(own, func(a netip.Addr) bool { return a.Is4() == (kind == "A") })
		if at >= 0 {
			records = append(records, fmt.Sprintf("%s. %s %s", host, kind, own[at]))
		}
	}
	return records
}

// isPublic reports whether an authority looks at hosts from the open internet.
// What a private one reaches is its operator's to know.
func isPublic(ca *authority) bool {
	_, ok := knownDirectories()[ca.Name]
	return ok
}

// special says what keeps an address from being one of the open internet (RFC
// 6890), or nothing.
func special(a netip.Addr) string {
	switch {
	case a.Is4In6():
		return "an IPv4 address in IPv6 form"
	case a.IsUnspecified():
		return "the unspecified address"
	case a.IsLoopback():
		return "a loopback address"
	case a.IsLinkLocalUnicast():
		return "a link-local address"
	case a.IsPrivate():
		return "a private address"
	case !a.IsGlobalUnicast():
		return "no address of one machine"
	}
	for _, reserved := range []struct{ prefix, what string }{
		{"0.0.0.0/8", "a reserved address"},
		{"240.0.0.0/4", "a reserved address"},
		{"192.0.0.0/24", "a reserved address"},
		{"100.64.0.0/10", "an address inside a provider's network"},
		{"198.18.0.0/15", "an address for measurements"},
		{"168.63.129.16/32", "an address of the cloud's own services"}, // Azure; it looks public
		// Behind these lie IPv4 addresses of any kind.
		{"64:ff9b::/96", "a translated address"},
		{"64:ff9b:1::/48", "a translated address"},
		{"2002::/16", "a translated address"},
		{"2001::/32", "a tunnelled address"},
		{"fec0::/10", "a private address"},
		{"100::/64", "a reserved address"},
	} {
		if netip.MustParsePrefix(reserved.prefix).Contains(a) {
			return reserved.what
		}
	}
	return ""
}

// machineAddresses are the addresses of this machine's interfaces.
func machineAddresses() (out []netip.Addr) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, address := range found {
		if n, ok := address.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, a.Unmap())
			}
		}
	}
	return out
}

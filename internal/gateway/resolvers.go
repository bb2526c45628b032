package gateway

import (
	"net/netip"

	"gatehouse/internal/conf"
	"gatehouse/internal/dnsquery"
)

// resolversMost bounds DNS servers: the system's own list ends at three.
const resolversMost = 8

// checkResolvers refuses what cannot be asked.
func (c *Config) checkResolvers(r *conf.Report) {
	at := c.Resolvers.Pos
	if c.Resolvers.Empty() {
		r.Fault(at, "leave it out for the system's", "resolvers names none; expected at least one DNS server")
	}
	if n := len(c.Resolvers.Items); n > resolversMost {
		r.Fault(at, "", "resolvers names %d; expected at most %d", n, resolversMost)
	}
	for _, item := range c.Resolvers.Items {
		if a, err := netip.ParseAddrPort(item.V); err != nil || a.Port() == 0 {
			r.Fault(item.Pos, "", "resolver %q is no address with a port; write it like %q or %q", item.V, "10.0.0.53:53", "[2001:db8::53]:53")
		}
	}
}

// resolver returns what is asked where backends are.
func (c *Config) resolver() *dnsquery.Resolver {
	return dnsquery.New(c.Resolvers.Values(), dnsquery.Options{})
}

package gateway

import (
	"strings"

	"gatehouse/internal/conf"
)

// joined lists the first names and counts the rest.
func joined(names []string) string {
	const shown = 10
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:shown], ", ") + ", …"
}

// nonNil returns an empty list for none, which JSON shows as [].
func nonNil(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// text returns how a secret is referred to; "" for none.
func text(s *conf.Secret) string {
	if s == nil {
		return ""
	}
	return s.String() + s.File.V + s.Env.V + s.Credential.V
}

func logText(c *Config) string { return c.Log.Access.V + " " + c.Log.Query.V + " " + c.Log.Client.V }

// addresses lists where a main file listens, each with its key.
func addresses(c *Config) []string {
	var all []string
	for _, a := range c.httpAddresses().Values() {
		all = append(all, "http "+a)
	}
	for _, l := range c.httpsListeners().Values() {
		way := "direct"
		if l.ClientIP != nil && l.ClientIP.ProxyProtocol.Set() {
			way = "proxy_protocol"
		} else if l.ClientIP != nil {
			way = "x_forwarded_for"
		}
		all = append(all, "https "+l.Address.V+" "+way)
	}
	if h := c.Listen.Health; h != nil {
		all = append(all, "health "+h.Address.V)
	}
	if a := c.Listen.Admin; a != nil {
		all = append(all, "admin "+a.Address.V)
	}
	return all
}

package gateway

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
)

// startKeys describes what of a main file is read at start only, by key. The
// texts are for comparison alone.
func (l *loader) startKeys(c *Config, listeners []*tenancy.Listener) map[string]string {
	return map[string]string{
		"listen":     strings.Join(addresses(c, listeners), "\n"),
		"state":      c.state(l.base()),
		"data_plane": fmt.Sprint(c.plane()),
		"resolvers":  strings.Join(c.Resolvers.Values(), "\n"),
		"log":        strings.Join([]string{c.Log.Access.Or("stdout"), c.Log.Query.V, c.Log.Client.V}, "\n"),
		"shutdown":   fmt.Sprint(c.Shutdown.Announce.V, c.drain()),
	}
}

// restartNotes names what differs from what the process was started with and
// waits for a restart.
func (g *gateway) restartNotes(next *loaded) []string {
	now := g.loader.startKeys(next.config, next.table.Listeners())
	notes := []string{}
	for key, was := range g.startedWith {
		if now[key] != was {
			notes = append(notes, key+" changed; that takes effect with a restart")
		}
	}
	if sealed(next.config) != *g.sealedWith.Load() {
		notes = append(notes, "seal changed; gatehouse keys rotate puts its first key into use")
	}
	slices.Sort(notes)
	return notes
}

// addresses lists where a main file listens, and how clients are known there.
// Whom a listener believes takes effect with a reload.
func addresses(c *Config, listeners []*tenancy.Listener) []string {
	var all []string
	for _, l := range listeners {
		all = append(all, fmt.Sprint(l.Plain, l.Address, l.Mode))
	}
	if h := c.Listen.Health; h != nil {
		all = append(all, "health "+h.Address.V)
	}
	if a := c.Listen.Admin; a != nil {
		all = append(all, "admin "+a.Address.V+" "+place(a.Token))
	}
	slices.Sort(all)
	return all
}

// sealed names where the keys of the state are kept.
func sealed(c *Config) string {
	var all []string
	for i := range c.Seal.Items {
		all = append(all, place(&c.Seal.Items[i].V))
	}
	return strings.Join(all, "\n")
}

// place names where a secret is kept; "" for none.
func place(s *conf.Secret) string {
	if s == nil {
		return ""
	}
	return s.String() + s.File.V + s.Env.V + s.Credential.V
}

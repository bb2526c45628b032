package gateway

import (
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/dns01"
	"gatehouse/internal/store"
	"gatehouse/ipallow"
	"gatehouse/proxy"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// Config is the main file as written. Each part is declared by the package that
// enforces it.
type Config struct {
	Version      conf.At[string]              `conf:"version,required" enum:"1" doc:"version of this file's format" example:"1"`
	Listen       ListenSpec                   `conf:"listen" doc:"where connections are accepted"`
	TLS          tlsconfig.Spec               `conf:"tls" doc:"what is presented and demanded in handshakes, for every host that says nothing else"`
	State        conf.At[string]              `conf:"state" default:"/var/lib/gatehouse" doc:"folder of what outlives the process: internal CA, session ticket keys, last good tenant files; one process uses it at a time" example:"/var/lib/gatehouse"`
	Seal         conf.OneOrMany[conf.Secret]  `conf:"seal" doc:"key that seals what lies in the state folder: 32 bytes, raw, hex or base64; of several the first seals and all open, gatehouse keys rotate puts everything under the first; absent: one is made beside the state, and status says that keys are not protected" example:"{credential: gatehouse-seal}"`
	DNSProviders conf.Map[dns01.ProviderSpec] `conf:"dns_providers" doc:"who writes DNS records for acme challenges (dns-01), by a name of your own; each is bound to zones and, where it says so, to tenants" example:"{corp: {zones: [acme.example], rfc2136: {server: \"10.0.0.53:53\", key_name: gatehouse., key: {file: secrets/tsig}}}}"`
	Resolvers    conf.List[string]            `conf:"resolvers" default:"the system's" doc:"DNS servers that are asked where backends are that are written by name, and what names in sets list; for backends the hosts file goes before them, and the system's search list counts only without this key" example:"[\"10.0.0.53:53\"]"`
	Plane        conf.At[string]              `conf:"data_plane" default:"own" enum:"own|standard" doc:"what speaks HTTP/1.1 over TLS with clients: gatehouse's own code, or Go's net/http as a safety net (docs/security.md says what differs)" example:"standard"`
	Log          proxy.LogSpec                `conf:"log" doc:"the access log"`
	Shutdown     ShutdownSpec                 `conf:"shutdown" doc:"how the process goes down"`

	tenancy.MainSpec
}

// CheckConf refuses a `seal` that names no key, or too many, and `resolvers` that
// cannot be asked.
func (c *Config) CheckConf(_ conf.Pos, r *conf.Report) {
	if n := len(c.Seal.Items); c.Seal.Empty() || n > store.MaxKeys {
		r.Fault(c.Seal.Pos, "leave the key out to have one made beside the state",
			"seal names %d keys; expected one, or the present one and up to %d former ones", n, store.MaxKeys-1)
	}
	if c.Resolvers.Set() {
		c.checkResolvers(r)
	}
}

// ListenSpec is the key `listen` as written.
type ListenSpec struct {
	HTTP       conf.List[string]               `conf:"http" default:"[\":80\"]" doc:"addresses of plain HTTP: redirects to HTTPS, never an application byte" example:"[\":80\"]"`
	HTTPS      conf.List[tenancy.ListenerSpec] `conf:"https" default:"[\":443\"]" doc:"addresses of HTTPS: HTTP/1.1 and HTTP/2" example:"[\":443\"]"`
	PublicPort conf.At[Port]                   `conf:"public_port" default:"the first https listener's" doc:"the port that redirects name" example:"443"`
	Health     *admin.HealthSpec               `conf:"health" doc:"where load balancers ask /livez and /readyz; absent: nowhere"`
	Admin      *admin.Spec                     `conf:"admin" doc:"where /metrics and status are read over TCP; absent: on the command socket only"`
	Later      conf.Later                      `conf:"http3"`
}

// ShutdownSpec is the key `shutdown` as written.
type ShutdownSpec struct {
	Announce conf.At[conf.Duration] `conf:"announce" default:"0s" doc:"how long connections are still accepted after SIGTERM, while /readyz says 503 and answers end their connection" example:"10s"`
	Drain    conf.At[conf.Duration] `conf:"drain" default:"30s" doc:"how long requests under way may take after that" example:"30s"`
}

// The built-in values of keys that a main file may leave out.
const (
	defaultState = "/var/lib/gatehouse"
	defaultHTTP  = ":80"
	defaultHTTPS = ":443"
	defaultDrain = conf.Duration(30 * time.Second)
)

// admission compiles who may use the doors for operators.
func (c *Config) admission(sets *ipallow.Sets, r *conf.Report) admission {
	var a admission
	if h := c.Listen.Health; h != nil && h.Allow.Set() {
		a.health = sets.Compile(h.Allow, r)
	}
	if h := c.Listen.Admin; h != nil && h.Allow.Set() {
		a.admin = sets.Compile(h.Allow, r)
	}
	return a
}

func (c *Config) httpAddresses() conf.List[string] {
	if c.Listen.HTTP.Set() {
		return c.Listen.HTTP
	}
	return conf.List[string]{Items: []conf.At[string]{{V: defaultHTTP}}}
}

func (c *Config) httpsListeners() conf.List[tenancy.ListenerSpec] {
	if c.Listen.HTTPS.Set() {
		return c.Listen.HTTPS
	}
	builtin := tenancy.ListenerSpec{Address: conf.At[string]{V: defaultHTTPS}}
	return conf.List[tenancy.ListenerSpec]{Items: []conf.At[tenancy.ListenerSpec]{{V: builtin}}}
}

// publicPort returns the port that redirects name.
func (c *Config) publicPort(listeners []*tenancy.Listener) int {
	if c.Listen.PublicPort.Set() {
		return int(c.Listen.PublicPort.V)
	}
	for _, l := range listeners {
		if !l.Plain {
			return int(l.Port())
		}
	}
	return 0 // there is no https listener, which is a fault
}

// doors lists where operators and load balancers are served. No backend is there.
func (c *Config) doors() []string {
	var addresses []string
	if h := c.Listen.Health; h != nil {
		addresses = append(addresses, h.Address.V)
	}
	if a := c.Listen.Admin; a != nil {
		addresses = append(addresses, a.Address.V)
	}
	return addresses
}

// state returns the folder of what outlives the process.
func (c *Config) state(base string) string { return within(base, c.State.Or(defaultState)) }

// plane returns what speaks HTTP/1.1 with clients.
func (c *Config) plane() proxy.DataPlane {
	if c.Plane.V == "standard" {
		return proxy.StandardPlane
	}
	return proxy.OwnPlane
}

func (c *Config) drain() time.Duration { return time.Duration(c.Shutdown.Drain.Or(defaultDrain)) }

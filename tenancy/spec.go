package tenancy

import (
	"gatehouse/internal/compress"
	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// MainSpec is what the main file says about tenants. It is inlined in the whole
// of that file.
type MainSpec struct {
	Include  conf.List[string]            `conf:"include" doc:"patterns of tenant files, relative to this file; a file's name without its extension is the tenant's id" example:"[tenants/*.yaml]"`
	Block    conf.List[ipallow.EntrySpec] `conf:"block" default:"[]" doc:"who is refused everywhere, before anything else; beats every allow and public" example:"[set:blocked]"`
	Require  *RequireSpec                 `conf:"require" doc:"guards that no tenant can break"`
	Sets     conf.Map[ipallow.SetSpec]    `conf:"sets" doc:"named lists of addresses, written set:NAME where they are used; visible in every file" example:"{our-noc: [192.0.2.10, 2001:db8:10::/48]}"`
	Groups   conf.Map[SettingsSpec]       `conf:"groups" doc:"named settings for the tenants that say group: NAME" example:"{gold: {timeouts: {first_byte: 2m}}}"`
	Defaults *SettingsSpec                `conf:"defaults" doc:"settings of every tenant that does not say otherwise"`
	Tenants  conf.Map[TenantSpec]         `conf:"tenants" doc:"tenants written in this file, by id"`
}

// RequireSpec is what every tenant is held to.
type RequireSpec struct {
	BackendNetworks conf.List[string] `conf:"backend_networks" default:"any" doc:"networks that every backend must be in, a name by the addresses that it resolves to" example:"[10.0.0.0/8]"`
	BackendTLS      conf.At[bool]     `conf:"backend_tls" default:"false" doc:"every backend must be reached by https" example:"true"`
	Public          conf.At[string]   `conf:"public" enum:"allowed|forbidden" default:"allowed" doc:"forbidden: no tenant may admit everybody" example:"forbidden"`
}

// TenantSpec is a tenant as written: a tenant file, or an entry of tenants.
type TenantSpec struct {
	Pos       conf.Pos
	Group     conf.At[string]                  `conf:"group" doc:"group of the main file whose settings hold here" example:"gold"`
	Hosts     conf.List[HostSpec]              `conf:"hosts,required" doc:"names that the tenant is reached by; *.name stands for one label" example:"[pa.acme.example, \"*.acme.hosted.example\"]"`
	Lends     conf.List[string]                `conf:"lends" default:"[]" doc:"exact names inside a wildcard of this tenant that another tenant may own" example:"[legacy.acme.hosted.example]"`
	Sets      conf.Map[SetSpec]                `conf:"sets" doc:"named lists of addresses, visible in this file only" example:"{offices: [203.0.113.0/28]}"`
	Access    *AccessSpec                      `conf:"access,required" doc:"who may come in; whoever is not listed is refused" example:"{allow: [203.0.113.0/28]}"`
	BasicAuth *BasicAuthSpec                   `conf:"basic_auth" doc:"names and passwords that requests must bring; those of host and routes must admit, too"`
	Backends  conf.OneOrMany[pool.BackendSpec] `conf:"backends" doc:"where requests go that no route sends elsewhere; needed unless there are only routes that name theirs. pool:NAME in place of URLs is one of pools" example:"[http://10.4.1.10:8080]"`
	Canary    *CanarySpec                      `conf:"canary" doc:"requests that go to other backends of the tenant: some, or those that ask for it. It belongs to the backends of its level, or those that the level inherits; who names others begins without" example:"{backends: pool:next, weight: 5%}"`
	Mirror    *MirrorSpec                      `conf:"mirror" doc:"other backends of the tenant that get copies of requests. It belongs to backends as canary does" example:"{backends: pool:shadow, share: 10%}"`
	Pools     conf.Map[PoolSpec]               `conf:"pools" doc:"named backends, written pool:NAME where backends stand: a tenant moves from one to another by a word" example:"{next: {backends: [http://10.4.2.10:8080]}}"`
	Redirect  *RedirectSpec                    `conf:"redirect" doc:"in place of backends: where clients are led to"`
	Routes    conf.Map[RouteSpec]              `conf:"routes" doc:"path prefixes with settings of their own; the longest decides, and the access of each that contains the path must admit" example:"{/reports/: {timeouts: {first_byte: 10m}}}"`
	Expect    conf.List[ExpectSpec]            `conf:"expect" default:"[]" doc:"requests and their verdicts; a new version of this file for which one fails is refused"`
	SettingsSpec
	Later conf.Later `conf:"databases,client_certs"`

	ForwardAuth *ForwardAuthSpec `conf:"forward_auth" doc:"who is asked about each request besides; those of host and routes must admit, too"`
}

// HostSpec is an entry of hosts: a name, or a map with keys that hold for this
// host alone.
type HostSpec struct {
	Pos       conf.Pos
	Host      conf.At[string]                  `conf:"host,required,short" doc:"an exact name, or *.name" example:"api.acme.hosted.example"`
	Access    *AccessSpec                      `conf:"access" doc:"who may come in to this host; the tenant's access must admit, too"`
	BasicAuth *BasicAuthSpec                   `conf:"basic_auth" doc:"names and passwords that requests for this host must bring; the tenant's must admit, too"`
	Backends  conf.OneOrMany[pool.BackendSpec] `conf:"backends" default:"the tenant's" doc:"in place of the tenant's backends" example:"[http://10.4.9.9:80]"`
	Canary    *CanarySpec                      `conf:"canary" doc:"requests that go to other backends of the tenant: some, or those that ask for it. It belongs to the backends of its level, or those that the level inherits; who names others begins without" example:"{backends: pool:next, weight: 5%}"`
	Mirror    *MirrorSpec                      `conf:"mirror" doc:"other backends of the tenant that get copies of requests. It belongs to backends as canary does" example:"{backends: pool:shadow, share: 10%}"`
	Redirect  *RedirectSpec                    `conf:"redirect" doc:"where clients are led to, whatever routes the tenant has; routes of this host may differ"`
	Routes    conf.Map[RouteSpec]              `conf:"routes" doc:"path prefixes; merged with the tenant's by their prefix"`
	Expect    conf.List[ExpectSpec]            `conf:"expect" default:"[]" doc:"as a tenant's"`
	SettingsSpec
	Later conf.Later `conf:"client_certs"`

	ForwardAuth *ForwardAuthSpec `conf:"forward_auth" doc:"who is asked about each request for this host; the tenant's must admit, too"`
}

// RouteSpec is a path prefix as written.
type RouteSpec struct {
	Pos       conf.Pos
	Access    *AccessSpec                      `conf:"access" doc:"who may reach these paths; tenant, host and enclosing routes must admit, too"`
	BasicAuth *BasicAuthSpec                   `conf:"basic_auth" doc:"names and passwords that requests for these paths must bring; those of tenant, host and enclosing routes must admit, too"`
	Backends  conf.OneOrMany[pool.BackendSpec] `conf:"backends" default:"the host's" doc:"where requests for these paths go" example:"[http://10.4.1.30:8080]"`
	Redirect  *RedirectSpec                    `conf:"redirect" doc:"in place of backends: where clients are led to"`
	Rewrite   *RewriteSpec                     `conf:"rewrite" doc:"what becomes of the path on the way to a backend: strip_prefix, or another prefix or path. Access is decided by the path that came"`
	Canary    *CanarySpec                      `conf:"canary" doc:"requests that go to other backends of the tenant: some, or those that ask for it. It belongs to the backends of its level, or those that the level inherits; who names others begins without" example:"{backends: pool:next, weight: 5%}"`
	Mirror    *MirrorSpec                      `conf:"mirror" doc:"other backends of the tenant that get copies of requests. It belongs to backends as canary does" example:"{backends: pool:shadow, share: 10%}"`
	ExchangeSpec
	Later conf.Later `conf:"client_certs"`

	ForwardAuth *ForwardAuthSpec `conf:"forward_auth" doc:"who is asked about each request for these paths; those of tenant, host and enclosing routes must admit, too"`
}

// SettingsSpec is what merges from defaults to group, tenant and host.
type SettingsSpec struct {
	ExchangeSpec
	Paths *PathsSpec      `conf:"paths" doc:"how paths are read"`
	TLS   *tlsconfig.Spec `conf:"tls" doc:"TLS of the hosts"`
}

// ExchangeSpec is the settings that a route may have as well.
type ExchangeSpec struct {
	Timeouts      *TimeoutsSpec      `conf:"timeouts" doc:"how long things may take; what has run out is acted on up to a second late"`
	Headers       *HeadersSpec       `conf:"headers" doc:"fields to set and to remove"`
	PassHeaders   conf.List[string]  `conf:"pass_headers" default:"[]" doc:"fields that are dropped from requests unless they are listed here; none that says who a client is" example:"[X-HTTP-Method-Override]"`
	Limits        *LimitsSpec        `conf:"limits" doc:"how much messages may take, how fast bodies must move, and how many requests there may be"`
	RequestBuffer conf.At[conf.Size] `conf:"request_buffer" default:"64KiB" doc:"a request body up to this length is read before a backend is taken; 0B reads none" example:"256KiB"`
	Retries       *RetriesSpec       `conf:"retries" doc:"how often a request may be offered to one more backend when one has failed it, where that can do no harm" off:"{attempts: 1}"`
	PoolRulesSpec
	Compression *compress.Spec `conf:"compression" default:"off" doc:"answers are compressed for clients that take it. Not where another site has caused a request that carries a cookie: the length would tell what stands in the answer"`

	Maintenance conf.OneOrMany[MaintenanceSpec] `conf:"maintenance" default:"[]" doc:"when it is closed: requests that access admits are answered with 503 and a page. A narrower level's windows replace those of wider ones; [] is never" example:"{from: 2026-12-06T22:00 Europe/Riga, for: 2h}" on:"{now: true}" off:"[]"`
}

// LimitsSpec bounds what messages may take, and how much of them there may be.
type LimitsSpec struct {
	Body            conf.At[conf.OrOff[conf.Size]]  `conf:"body" default:"64MiB" doc:"the body of a request, however it comes. One that says that it is longer is 413 before a backend is taken, one that turns out to be so is cut there. off takes any" example:"1GiB" also:"maxbody,bodysize,maxbodysize,clientmaxbodysize"`
	Requests        conf.At[conf.OrOff[conf.Rate]]  `conf:"requests" default:"off" doc:"how often requests may come, 1/h to 1000000/s, of all clients together; more are 429. Those of host and route hold beside the tenant's" example:"500/s" also:"rate,rps,requestrate"`
	Burst           conf.At[int]                    `conf:"burst" default:"the number of requests" doc:"how many of requests may come at once, 1 to 1000000, after they were few" example:"1000"`
	InFlight        conf.At[conf.OrOff[conf.Count]] `conf:"in_flight" default:"off" doc:"requests in progress at a time, 1 to 1000000; more wait in the queue, or are 503. Those of host and route hold beside the tenant's" example:"200" also:"concurrency,concurrent,maxrequests"`
	Queue           conf.At[int]                    `conf:"queue" default:"in_flight, 100 at most" doc:"how many may wait until others of in_flight are done, first come, first served; at most 10000. More are 503" example:"0"`
	QueueWait       conf.At[conf.Duration]          `conf:"queue_wait" default:"1s" doc:"how long each may wait, 10ms to 1m; then it is 503" example:"250ms"`
	WebSockets      conf.At[conf.OrOff[conf.Count]] `conf:"websockets" default:"they count for in_flight" doc:"open WebSockets, 1 to 1000000, apart from in_flight; more are 503" example:"5000"`
	Bandwidth       conf.At[conf.ByteRate]          `conf:"bandwidth" default:"off" doc:"what goes to all clients together, bodies of answers and WebSockets, 1KiB/s to 100GiB/s; answers wait for their turn. Those of host and route hold beside the tenant's" example:"50MiB/s"`
	Weight          conf.At[int]                    `conf:"weight" default:"1" doc:"the tenant's share of the gateway, 1 to 100, when that is what is scarce: the computing of handshakes, memory, goroutines, connections. Who has more than its share waits and is refused first. Not on hosts and routes" example:"3"`
	Client          *ClientLimitsSpec               `conf:"client" doc:"the same for each client address, an IPv6 address counting by its /64; judged before anything that costs more"`
	Head            conf.At[conf.Size]              `conf:"head" default:"64KiB" doc:"the head of a request, from its first byte to the empty line, 4KiB to 1MiB; room for the cookies and Kerberos tickets of business applications. A longer one is 431. Not on routes" example:"128KiB"`
	Fields          conf.At[int]                    `conf:"fields" default:"128" doc:"field lines of a head or of trailers, of requests and answers, 32 to 1024; a browser sends about 20, a chain of proxies 20 more. A request with more is 431, an answer 502. Not on routes" example:"200"`
	Target          conf.At[conf.Size]              `conf:"target" default:"16KiB" doc:"path and query of a request as they come, 1KiB to 64KiB; twice what RFC 9112 recommends, for sign-on tokens in queries. A longer one is 414. Not on routes" example:"32KiB"`
	ChunkExtensions conf.At[conf.Size]              `conf:"chunk_extensions" default:"4KiB" doc:"all chunk extensions of one body, of requests and answers, at most 64KiB; nobody uses them. A request with more is 400, an answer is cut. Not on routes" example:"0B"`
	Trailers        conf.At[conf.Size]              `conf:"trailers" default:"8KiB" doc:"the fields behind a body, of requests and answers, 256B to 64KiB; a checksum, a signature, a gRPC status with its details. A request with more is 431, an answer is cut. Not on routes" example:"16KiB"`
	AnswerHead      conf.At[conf.Size]              `conf:"answer_head" default:"64KiB" doc:"the head of a backend's answer, and of each 1xx before it, 4KiB to 1MiB. A longer one is 502" example:"16KiB"`
	Interim         conf.At[int]                    `conf:"interim" default:"16" doc:"1xx answers to one request, 1 to 256; Early Hints come once or twice, progress reports every few seconds. More are 502" example:"100"`
	MinRate         conf.At[conf.ByteRate]          `conf:"min_rate" default:"240B/s" doc:"what a client must keep up, at most 64KiB/s, for the body of a request until the answer begins, and for the answer, over the time for which it is waited for; a modem of 2,400 baud can. A request that comes more slowly is 408, an answer that is taken more slowly is cut. off holds nobody to a rate" example:"1KiB/s"`
	MinRateAfter    conf.At[conf.Duration]          `conf:"min_rate_after" default:"10s" doc:"how long a client may fall behind min_rate, 2s to 10m, and as long again as it was ahead, up to idle" example:"30s"`

	Elsewhere conf.Elsewhere `conf:"connections,maxconnections,maxconns,handshakes" doc:"limits of a listener, below listen.https of the main file, bound the connections of a client; circuit_breaker bounds those to a backend"`
}

// ClientLimitsSpec bounds how much of it one client address may have.
type ClientLimitsSpec struct {
	Requests conf.At[conf.OrOff[conf.Rate]]  `conf:"requests" default:"off" doc:"how often one client may send requests; more are 429" example:"20/s" also:"rate,rps,requestrate"`
	Burst    conf.At[int]                    `conf:"burst" default:"the number of requests" doc:"how many of them may come at once, 1 to 1000000" example:"40"`
	InFlight conf.At[conf.OrOff[conf.Count]] `conf:"in_flight" default:"off" doc:"requests of one client in progress at a time, open WebSockets included, 1 to 1000000; more are 503" example:"20" also:"concurrency,concurrent,maxrequests"`

	Elsewhere conf.Elsewhere `conf:"connections,maxconnections,maxconns,handshakes" doc:"limits of a listener, below listen.https of the main file, bound the connections of a client"`
}

// TimeoutsSpec bounds how long things may take.
type TimeoutsSpec struct {
	Connect     conf.At[conf.Duration] `conf:"connect" default:"3s" doc:"to reach a backend, its TLS handshake included" example:"1s" also:"dial"`
	Header      conf.At[conf.Duration] `conf:"header" default:"10s" doc:"until the TLS handshake is done, and until the head of a request is complete; not on routes" example:"5s" also:"head,requestheader,readheader"`
	FirstByte   conf.At[conf.Duration] `conf:"first_byte" default:"60s" doc:"until a backend's answer begins" example:"10m" also:"response,backend,responseheader"`
	Idle        conf.At[conf.Duration] `conf:"idle" default:"60s" doc:"between two bytes of a body" example:"30s"`
	KeepAlive   conf.At[conf.Duration] `conf:"keep_alive" default:"75s" doc:"how long a connection is kept for the next request; not on routes" example:"30s"`
	UpgradeIdle conf.At[conf.Duration] `conf:"upgrade_idle" default:"1h" doc:"between two bytes of an upgraded connection, a WebSocket's" example:"10m"`

	Total conf.At[conf.OrOff[conf.Duration]] `conf:"total" default:"off" doc:"from the end of a request's head to the end of its answer, waiting, retries and both bodies included, 1s to 1d; then it is 504, or cut if the answer has begun. Not for WebSockets; off where answers go on, as events do" example:"2m" also:"request,timeout,overall"`
}

// HeadersSpec changes fields on the way.
type HeadersSpec struct {
	Request  *FieldsSpec `conf:"request" doc:"of requests, on the way to a backend"`
	Response *FieldsSpec `conf:"response" doc:"of answers, on the way to a client"`
}

// FieldsSpec changes the fields of one direction.
type FieldsSpec struct {
	Set    conf.Map[conf.At[string]] `conf:"set" doc:"fields that replace those of the same name" example:"{X-Frame-Options: DENY}"`
	Remove conf.List[string]         `conf:"remove" doc:"fields to remove" example:"[Server]"`
}

// PathsSpec says how paths are read.
type PathsSpec struct {
	Allow conf.List[string] `conf:"allow" enum:"encoded_slash|double_slash|backslash" default:"[]" doc:"what is taken although programs differ in how they read it; only on hosts whose routes have no access of their own" example:"[encoded_slash]"`
}

// ExpectSpec is a request and the verdict that its author expects.
type ExpectSpec struct {
	Pos      conf.Pos
	Get      conf.At[string] `conf:"get,one" doc:"URL of a GET request" example:"https://pa.acme.example/login"`
	Post     conf.At[string] `conf:"post,one" doc:"URL of a POST request"`
	Put      conf.At[string] `conf:"put,one" doc:"URL of a PUT request"`
	Delete   conf.At[string] `conf:"delete,one" doc:"URL of a DELETE request"`
	Head     conf.At[string] `conf:"head,one" doc:"URL of a HEAD request"`
	Options  conf.At[string] `conf:"options,one" doc:"URL of an OPTIONS request"`
	From     conf.At[string] `conf:"from,required" doc:"address of the client" example:"203.0.113.5"`
	Is       conf.At[string] `conf:"is,required" doc:"forward, redirect, or refuse and the reason" example:"refuse ip_not_allowed"`
	At       conf.At[string] `conf:"at" default:"no until has passed" doc:"when: a date, or a date and time with its zone" example:"2027-02-01T09:00 Europe/Riga"`
	User     conf.At[string] `conf:"user" default:"nobody" doc:"who asks, with the right password, where there is basic_auth, or signed in, where there is forward_auth" example:"ops"`
	Route    conf.At[string] `conf:"route" doc:"prefix of the route that must be chosen; / for a host's own backends" example:"/reports/"`
	Location conf.At[string] `conf:"location" doc:"where a redirect must lead, without a query" example:"https://www.acme.example/login"`
	Backend  conf.At[string] `conf:"backend" doc:"a backend that must be among those chosen" example:"http://10.4.1.30:8080"`
}

// ListenerSpec is a TCP address that TLS is served on, as written.
type ListenerSpec struct {
	Address  conf.At[string]     `conf:"address,required,short" doc:"host and port, or only :port" example:":443"`
	ClientIP *ClientIPSpec       `conf:"client_ip" default:"the address that connects" doc:"how a client's address is known"`
	Limits   *ListenerLimitsSpec `conf:"limits" doc:"how much one client address may have here, an IPv6 address counting by its /64; more is closed. Not where clients are known by X-Forwarded-For"`
}

// ListenerLimitsSpec bounds what one client address may have at a listener.
type ListenerLimitsSpec struct {
	Connections conf.At[int]                   `conf:"connections" default:"4096" doc:"open connections, 1 to 131072, those on other listeners counted" example:"500"`
	Handshakes  conf.At[conf.OrOff[conf.Rate]] `conf:"handshakes" default:"off" doc:"how often it may begin a TLS handshake, 1/h to 1000000/s, as many at once as the number says" example:"50/s"`
}

// ClientIPSpec names the peers that are believed about the client's address,
// and how they say it. Exactly one key stands in it.
type ClientIPSpec struct {
	conf.Whole
	ProxyProtocol conf.List[ipallow.EntrySpec] `conf:"proxy_protocol,one" doc:"peers that send a PROXY header, version 1 or 2; whoever else connects is closed" example:"[set:lb]"`
	XForwardedFor conf.List[ipallow.EntrySpec] `conf:"x_forwarded_for,one" doc:"peers whose X-Forwarded-For is read from the right; whoever else connects is closed" example:"[set:lb]"`
}

// AccessSpec is the access of a level as written. It knows whether it was read
// without a fault, which is asked when the rest of its file was not.
type AccessSpec struct {
	ipallow.AccessSpec
	sound bool
}

// CheckConf is called once the access was read without a fault.
func (s *AccessSpec) CheckConf(conf.Pos, *conf.Report) { s.sound = true }

// SetSpec is a set of a tenant file; it knows whether it was read without a
// fault, as AccessSpec does.
type SetSpec struct {
	ipallow.SetSpec
	sound bool
}

// CheckConf is called once the set was read without a fault.
func (s *SetSpec) CheckConf(conf.Pos, *conf.Report) { s.sound = true }

package dns01

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/conf"
)

// ProviderSpec is credentials for DNS zones as written: exactly one kind of
// provider, the zones and the tenants that it is bound to.
type ProviderSpec struct {
	Pos     conf.Pos
	Zones   conf.List[string] `conf:"zones,required" doc:"zones that this provider may change, and nothing beside them; of acme_dns the one in which its accounts lie" example:"[acme.example]"`
	Tenants conf.List[string] `conf:"tenants" default:"all" doc:"tenants whose hosts may use it" example:"[acme]"`
	RFC2136 *RFC2136Spec      `conf:"rfc2136,one" doc:"signed updates to the zone's primary server (RFC 2136)" example:"{server: \"10.0.0.53:53\", key_name: gatehouse., key: {file: secrets/tsig}}"`
	ACMEDNS *ACMEDNSSpec      `conf:"acme_dns,one" doc:"an account of an acme-dns server; hosts are delegated to it by a CNAME" example:"{server: \"https://auth.host.example\", username: u, password: {file: secrets/acme-dns}, subdomain: d420c923}"`
	Exec    *ExecSpec         `conf:"exec,one" doc:"a program that changes records" example:"{program: /usr/local/bin/dns-record}"`
	Webhook *WebhookSpec      `conf:"webhook,one" doc:"an HTTPS server that changes records" example:"{url: \"https://dns.host.example/acme\", token: {file: secrets/webhook}}"`
	Route53 *Route53Spec      `conf:"route53,one" doc:"Amazon Route 53" example:"{access_key_id: AKIAEXAMPLE, secret_access_key: {file: secrets/aws}}"`
}

// RFC2136Spec is a primary server that takes signed updates, as written.
type RFC2136Spec struct {
	Server    conf.At[string] `conf:"server,required" doc:"address and port of the zone's primary server" example:"10.0.0.53:53"`
	KeyName   conf.At[string] `conf:"key_name,required" doc:"name of the TSIG key, as the server knows it" example:"gatehouse."`
	Algorithm conf.At[string] `conf:"algorithm" enum:"hmac-sha256|hmac-sha384|hmac-sha512" default:"hmac-sha256" doc:"algorithm of the key" example:"hmac-sha512"`
	Key       *conf.Secret    `conf:"key,required" doc:"the key, base64 as key generators print it" example:"{file: secrets/tsig}"`
}

// ACMEDNSSpec is an account of an acme-dns server as written. Registering it is
// the operator's.
type ACMEDNSSpec struct {
	Server    conf.At[string] `conf:"server,required" doc:"https URL of the server" example:"https://auth.host.example"`
	Root      conf.At[string] `conf:"root" default:"the system's roots" doc:"PEM file of the authorities that vouch for the server" example:"ca/acme-dns.pem"`
	Username  conf.At[string] `conf:"username,required" doc:"username that registering gave out" example:"c36f50e8-4632-44f0-83fe-e070fef28a10"`
	Password  *conf.Secret    `conf:"password,required" doc:"its password" example:"{file: secrets/acme-dns}"`
	Subdomain conf.At[string] `conf:"subdomain,required" doc:"subdomain that registering gave out; SUBDOMAIN.ZONE is what hosts are delegated to" example:"d420c923-bbd7-4056-ab64-c3ca54c9b3cf"`
}

// ExecSpec is a program that changes records, as written.
type ExecSpec struct {
	Program conf.At[string]   `conf:"program,required" doc:"absolute path of the executable; it is run without a shell, with nothing but PATH in its environment, and told present or cleanup, the name and the text" example:"/usr/local/bin/dns-record"`
	Args    conf.List[string] `conf:"args" default:"[]" doc:"arguments before these" example:"[--zone, acme.example]"`
}

// WebhookSpec is a server that changes records, as written.
type WebhookSpec struct {
	URL   conf.At[string] `conf:"url,required" doc:"https URL that takes a POST with JSON: action (present or cleanup), name, zone, value, ttl; a call may come more than once" example:"https://dns.host.example/acme"`
	Token *conf.Secret    `conf:"token,required" doc:"what is sent as a bearer token" example:"{file: secrets/webhook}"`
	Root  conf.At[string] `conf:"root" default:"the system's roots" doc:"PEM file of the authorities that vouch for the server" example:"ca/internal.pem"`
}

// Route53Spec is access to Amazon Route 53 as written.
type Route53Spec struct {
	AccessKeyID     conf.At[string] `conf:"access_key_id,required" doc:"identifier of the access key" example:"AKIAIOSFODNN7EXAMPLE"`
	SecretAccessKey *conf.Secret    `conf:"secret_access_key,required" doc:"the access key" example:"{file: secrets/aws}"`
	SessionToken    *conf.Secret    `conf:"session_token" doc:"token of temporary credentials" example:"{file: secrets/aws-session}"`
	Region          conf.At[string] `conf:"region" default:"us-east-1" doc:"region that requests are signed for" example:"cn-northwest-1"`
	HostedZoneID    conf.At[string] `conf:"hosted_zone_id" default:"looked up by name" doc:"hosted zone, where the access key may not list them" example:"Z148QEXAMPLE8V"`
	Endpoint        conf.At[string] `conf:"endpoint" default:"the region's" doc:"https URL of the service, such as a private endpoint" example:"https://route53.amazonaws.com.cn"`
	Root            conf.At[string] `conf:"root" default:"the system's roots" doc:"PEM file of the authorities that vouch for the endpoint" example:"ca/internal.pem"`
}

// zonesMost bounds the zones of one provider.
const zonesMost = 1000

// CheckConf judges zones and tenants.
func (s *ProviderSpec) CheckConf(p conf.Pos, r *conf.Report) {
	if n := len(s.Zones.Items); s.Zones.Set() && (n == 0 || n > zonesMost) {
		r.Fault(s.Zones.Pos, "", "zones names %d; expected 1 to %d", n, zonesMost)
	}
	for i, zone := range s.Zones.Items {
		name := normal(zone.V)
		switch {
		case !isName(name) || strings.HasPrefix(zone.V, "*") || !strings.Contains(name, "."):
			r.Fault(zone.Pos, "write it in ASCII, without a star", "zone %q is no DNS zone; expected one like %q", zone.V, "acme.example")
		case slices.ContainsFunc(s.Zones.Items[:i], func(other conf.At[string]) bool { return normal(other.V) == name }):
			r.Fault(zone.Pos, "", "zone %q is named twice", zone.V)
		}
	}
	if s.Tenants.Empty() {
		r.Fault(s.Tenants.Pos, "leave it out for all tenants", "tenants names none; nobody could use the provider")
	}
	if s.ACMEDNS != nil && len(s.Zones.Items) > 1 {
		r.Fault(s.Zones.Items[1].Pos, "", "an acme_dns account has one name in one zone; %q is a second one", s.Zones.Items[1].V)
	}
}

// CheckConf judges what does not take a file to judge.
func (s *RFC2136Spec) CheckConf(_ conf.Pos, r *conf.Report) {
	host, port, err := net.SplitHostPort(s.Server.V)
	if n, bad := strconv.ParseUint(port, 10, 16); s.Server.Set() && (err != nil || host == "" || bad != nil || n == 0) {
		r.Fault(s.Server.Pos, "", "server %q has no host and port; write it like %q", s.Server.V, "10.0.0.53:53")
	}
	if s.KeyName.Set() && !isName(normal(s.KeyName.V)) {
		r.Fault(s.KeyName.Pos, "", "key_name %q is no DNS name; expected one like %q", s.KeyName.V, "gatehouse.")
	}
}

// CheckConf judges what does not take a file to judge.
func (s *ACMEDNSSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	checkURL(s.Server, "server", r)
	checkWord(s.Username, "username", r)
	if s.Subdomain.Set() && (!isName(s.Subdomain.V) || strings.Contains(s.Subdomain.V, ".")) {
		r.Fault(s.Subdomain.Pos, "", "subdomain %q is no DNS label; expected the one that registering gave out, without its zone", s.Subdomain.V)
	}
}

// CheckConf judges what does not take a file to judge.
func (s *ExecSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Program.Set() && (!filepath.IsAbs(s.Program.V) || strings.Contains(s.Program.V, "\x00")) {
		r.Fault(s.Program.Pos, "", "program %q is no absolute path; expected one like %q", s.Program.V, "/usr/local/bin/dns-record")
	}
}

// CheckConf judges what does not take a file to judge.
func (s *WebhookSpec) CheckConf(_ conf.Pos, r *conf.Report) { checkURL(s.URL, "url", r) }

// CheckConf judges what does not take a file to judge.
func (s *Route53Spec) CheckConf(_ conf.Pos, r *conf.Report) {
	checkURL(s.Endpoint, "endpoint", r)
	checkWord(s.AccessKeyID, "access_key_id", r)
	checkWord(s.Region, "region", r)
	checkWord(s.HostedZoneID, "hosted_zone_id", r)
}

func checkURL(at conf.At[string], key string, r *conf.Report) {
	if !at.Set() {
		return
	}
	u, err := url.Parse(at.V)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		r.Fault(at.Pos, "", "%s %q is no https URL; expected one like %q", key, at.V, "https://dns.host.example/acme")
	}
}

// checkWord demands what goes into a header or a signature as it is.
func checkWord(at conf.At[string], key string, r *conf.Report) {
	if at.Set() && (at.V == "" || strings.ContainsFunc(at.V, func(c rune) bool { return c <= ' ' || c > '~' })) {
		r.Fault(at.Pos, "", "%s is %q; expected a word without spaces", key, at.V)
	}
}

// Compile checks the providers of a main file and compiles them. readSecret
// reads a secret; one that answers neither text nor error says that secrets are
// not looked at here, and the provider is then good for checking alone. readFile
// reads a file by its path as written. What is wrong goes to the report, and the
// provider is left out.
func Compile(specs conf.Map[ProviderSpec], readSecret func(*conf.Secret) ([]byte, error), readFile func(path string) ([]byte, error), r *conf.Report) *Providers {
	c := &compiler{readSecret: readSecret, readFile: readFile, report: r}
	var list []*Provider
	for i := range specs {
		if p := c.provider(&specs[i]); p != nil && c.distinct(list, p, specs[i].Pos) {
			list = append(list, p)
		}
	}
	return newProviders(list)
}

type compiler struct {
	readSecret func(*conf.Secret) ([]byte, error)
	readFile   func(path string) ([]byte, error)
	report     *conf.Report
}

func (c *compiler) provider(entry *conf.Entry[ProviderSpec]) *Provider {
	s := &entry.V
	before := c.report.Faults()
	p := &Provider{name: entry.Key}
	if s.Tenants.Set() {
		p.tenants = s.Tenants.Values()
	}
	for _, zone := range s.Zones.Values() {
		p.zones = append(p.zones, normal(zone))
	}
	switch {
	case s.RFC2136 != nil:
		p.kind, p.writer = "rfc2136", c.rfc2136(s.RFC2136, p)
	case s.ACMEDNS != nil:
		// An account writes one name: that, and not its zone, is what it is bound to.
		p.zones = []string{normal(s.ACMEDNS.Subdomain.V) + "." + strings.Join(p.zones, "")}
		p.kind, p.writer = "acme_dns", c.acmeDNS(s.ACMEDNS, p)
	case s.Exec != nil:
		p.kind, p.writer = "exec", &program{path: s.Exec.Program.V, args: s.Exec.Args.Values(), timeMax: programTimeMax}
	case s.Webhook != nil:
		p.kind, p.writer = "webhook", c.webhook(s.Webhook, p)
	case s.Route53 != nil:
		p.kind, p.writer = "route53", c.route53(s.Route53, p)
	}
	if c.report.Faults() > before || p.writer == nil {
		return nil
	}
	return p
}

func (c *compiler) rfc2136(s *RFC2136Spec, p *Provider) writer {
	key := c.secret(s.Key, "key", p)
	if raw, err := base64.StdEncoding.DecodeString(key); key != "" && (err != nil || len(raw) == 0) {
		c.report.Fault(placeOf(s.Key), "", "the key of rfc2136 is not base64; expected what key generators print")
	}
	return &signedUpdates{
		server: s.Server.V, key: normal(s.KeyName.V) + ".", algorithm: s.Algorithm.Or("hmac-sha256") + ".",
		secret: key, pause: retryPause, timeMax: updateTimeMax,
	}
}

func (c *compiler) acmeDNS(s *ACMEDNSSpec, p *Provider) writer {
	header := http.Header{"X-Api-User": {s.Username.V}, "X-Api-Key": {c.secret(s.Password, "password", p)}}
	return &acmeDNS{
		caller:    jsonCaller{client: newHTTPClient(c.roots(s.Root)), url: updateURL(s.Server.V), header: header, pause: retryPause},
		subdomain: s.Subdomain.V, name: p.zones[0] + ".", slots: newSlots(),
	}
}

func (c *compiler) webhook(s *WebhookSpec, p *Provider) writer {
	header := http.Header{"Authorization": {bearer(c.secret(s.Token, "token", p))}}
	return &webhook{jsonCaller{client: newHTTPClient(c.roots(s.Root)), url: s.URL.V, header: header, pause: retryPause}}
}

func (c *compiler) route53(s *Route53Spec, p *Provider) writer {
	return newRoute53(route53Access{
		keyID: s.AccessKeyID.V, key: c.secret(s.SecretAccessKey, "secret_access_key", p),
		token:  c.secret(s.SessionToken, "session_token", p),
		region: s.Region.Or(route53Region), endpoint: s.Endpoint.V, hostedZone: s.HostedZoneID.V,
		client: newHTTPClient(c.roots(s.Root)), pauseMax: retryAfterMax,
	})
}

// secret reads a secret and remembers that no error may show it.
func (c *compiler) secret(s *conf.Secret, key string, p *Provider) string {
	if s == nil {
		return ""
	}
	text, err := c.readSecret(s)
	word := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		c.report.Fault(placeOf(s), "", "%s of dns provider %q: %v", key, p.name, err)
	case text == nil:
	case word == "" || strings.ContainsFunc(word, func(c rune) bool { return c <= ' ' || c > '~' }):
		c.report.Fault(placeOf(s), "", "%s of dns provider %q is empty or not one word of ASCII; expected the secret alone", key, p.name)
	default:
		p.secrets = append(p.secrets, word)
	}
	return word
}

// placeOf returns where a secret's place is written.
func placeOf(s *conf.Secret) conf.Pos {
	for _, at := range []conf.At[string]{s.File, s.Env, s.Credential} {
		if at.Set() {
			return at.Pos
		}
	}
	return conf.Pos{}
}

// roots reads authorities; nil: the system's.
func (c *compiler) roots(at conf.At[string]) *x509.CertPool {
	if !at.Set() {
		return nil
	}
	text, err := c.readFile(at.V)
	pool := x509.NewCertPool()
	if err == nil && !pool.AppendCertsFromPEM(text) {
		err = fmt.Errorf("it holds no PEM certificate")
	}
	if err != nil {
		c.report.Fault(at.Pos, "", "root %q: %v; expected a PEM file", at.V, err)
	}
	return pool
}

// distinct refuses a provider beside which another serves the same zone for the
// same tenants: which one is used would hang on their order.
func (c *compiler) distinct(list []*Provider, p *Provider, at conf.Pos) bool {
	for _, other := range list {
		if (p.tenants == nil) != (other.tenants == nil) {
			continue
		}
		same := func(tenant string) bool { return slices.Contains(other.tenants, tenant) }
		if p.tenants != nil && !slices.ContainsFunc(p.tenants, same) {
			continue
		}
		for _, zone := range p.zones {
			if slices.Contains(other.zones, zone) {
				c.report.Fault(at, "give each its own tenants", "dns provider %q has the zone %q for the same tenants as %q; expected one of them", p.name, zone, other.name)
				return false
			}
		}
	}
	return true
}

package tenancy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// ForwardAuthSpec is the auth service of a level as written. It does not merge:
// each level's stands alone, and all must admit.
type ForwardAuthSpec struct {
	Pos        conf.Pos
	URL        conf.At[string]        `conf:"url,required,short" doc:"what is asked about each request: http:// or https://, a host, and a path; it is a backend by all rules, and an https one is always verified" example:"https://auth.acme.internal/verify" also:"address,uri"`
	CA         conf.At[string]        `conf:"ca" default:"the system's roots" doc:"PEM file of the authorities that may sign its certificate" example:"ca/acme.pem"`
	ServerName conf.At[string]        `conf:"server_name" default:"the host of url" doc:"name that its certificate must carry, sent as SNI" example:"auth.acme.internal"`
	Shared     conf.At[bool]          `conf:"shared" default:"false" doc:"another tenant may use the same address if it says so too" example:"true"`
	Timeout    conf.At[conf.Duration] `conf:"timeout" default:"5s" doc:"how long all of it may take, 50ms to 1m; what is not answered by then is refused" example:"2s"`
	ToBackend  conf.List[string]      `conf:"to_backend" default:"[]" doc:"fields of its answer that the backend gets; a client's of these names are always removed" example:"[Remote-User, Remote-Groups]" also:"headers,responseheaders,authresponseheaders,copyheaders"`
	ToClient   conf.List[string]      `conf:"to_client" default:"[Cache-Control, Location, Set-Cookie, WWW-Authenticate]" doc:"fields of a refusal that the client gets; cookies also with what is admitted" example:"[Location, Set-Cookie]"`
}

const (
	// AuthServicesMax bounds the levels with an auth service of their own that one
	// path may lie below: each is a round trip.
	AuthServicesMax = 4

	// authFieldsMost bounds the names of to_backend and of to_client: each field of
	// each request is compared with them. Services set a handful.
	authFieldsMost = 32

	// authTimeoutBuiltin leaves a service time to ask another one; who waits longer
	// believes that nothing happens.
	authTimeoutBuiltin = 5 * time.Second
	authTimeoutLeast   = 50 * time.Millisecond
	authTimeoutMost    = time.Minute
)

// toClientBuiltin is what a refusal is made of: where to sign in, or how.
var toClientBuiltin = []string{"cache-control", "location", "set-cookie", "www-authenticate"}

// CheckConf judges times and names.
func (s *ForwardAuthSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if d := time.Duration(s.Timeout.V); s.Timeout.Set() && (d < authTimeoutLeast || d > authTimeoutMost) {
		r.Fault(s.Timeout.Pos, "", "timeout is %q; expected %q to %q", s.Timeout.V, conf.Duration(authTimeoutLeast), conf.Duration(authTimeoutMost))
	}
	checkAuthFields("to_backend", s.ToBackend, gatewayFields, r)
	checkAuthFields("to_client", s.ToClient, []string{"date", "strict-transport-security", "x-request-id"}, r)
}

// gatewayFields are those that tell a backend who asks and what, and that the
// gateway alone sets; of the others that clients may not send, an auth service
// may set any.
var gatewayFields = []string{
	"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-proto", "x-mirrored", "x-request-id", "x-tenant",
}

// checkAuthFields judges the names of one direction.
func checkAuthFields(key string, names conf.List[string], own []string, r *conf.Report) {
	if n := len(names.Items); n > authFieldsMost {
		r.Fault(names.Pos, "", "%s names %d fields; expected at most %d", key, n, authFieldsMost)
		return
	}
	for _, item := range names.Items {
		lowered := strings.ToLower(item.V)
		switch {
		case strings.Trim(lowered, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || lowered == "":
			r.Fault(item.Pos, "", "%q is not the name of a field that %s can have; expected letters, digits and hyphens", item.V, key)
		case slices.Contains(framingFields, lowered):
			r.Fault(item.Pos, "", "field %q cannot stand in %s; it belongs to the connection, which is the gateway's", item.V, key)
		case slices.Contains(own, lowered):
			r.Fault(item.Pos, "", "field %q cannot stand in %s; the gateway sets it", item.V, key)
		}
	}
}

// AuthService is whom one level has asked about each request. All of a route must
// admit. It is immutable.
type AuthService struct {
	// Timeout is how long all of it may take.
	Timeout time.Duration

	name      string
	origin    string // scheme and authority, as written
	path      string // with its query
	plan      *pool.Plan
	toBackend []string // lower case, without doubles
	toClient  []string
	index     int
	pos       conf.Pos
}

// Name returns the level's, like `tenant "acme"`: once in a tenant.
func (a *AuthService) Name() string { return a.name }

// Index returns the service's place in Tenant.AuthServices.
func (a *AuthService) Index() int { return a.index }

// Plan returns where the service answers.
func (a *AuthService) Plan() *pool.Plan { return a.plan }

// Target returns the path, and query, that the service is asked for.
func (a *AuthService) Target() string { return a.path }

// ToBackend reports whether a field of its answer goes to the backend. name is
// compared without regard to case, here and in ToClient.
func (a *AuthService) ToBackend(name []byte) bool { return namesField(a.toBackend, name) }

// ToClient reports whether a field of its refusal goes to the client.
func (a *AuthService) ToClient(name []byte) bool { return namesField(a.toClient, name) }

func namesField(names []string, name []byte) bool {
	return slices.ContainsFunc(names, func(n string) bool { return equalFold(n, name) })
}

// key is equal for services that are asked the same in the same way.
func (a *AuthService) key() string {
	return fmt.Sprintf("%s\n%s\n%q\n%q", a.plan.Key(), a.path, a.toBackend, a.toClient)
}

// authService compiles the auth service of one level once; nil where the level
// says nothing, and after a fault.
func (b *builder) authService(name string, spec *ForwardAuthSpec) *AuthService {
	if spec == nil {
		return nil
	}
	if done, ok := b.services[spec]; ok {
		return done
	}
	a := &AuthService{Timeout: time.Duration(spec.Timeout.Or(conf.Duration(authTimeoutBuiltin))), name: name, pos: spec.Pos, index: len(b.authServices)}
	a.toBackend, a.toClient = lowerNames(spec.ToBackend), toClientBuiltin
	if spec.ToClient.Set() {
		a.toClient = lowerNames(spec.ToClient)
	}
	backend := b.serviceBackend(a, spec)
	if backend == nil {
		a = nil
	} else {
		a.plan = pool.NewPlan([]*pool.Backend{backend}, pool.Rules{Ejection: (*pool.EjectionSpec)(nil).Compile()})
		b.authServices = append(b.authServices, a)
	}
	b.services[spec] = a
	return a
}

// serviceBackend reads where a service answers, and holds that to what backends
// are held to.
func (b *builder) serviceBackend(a *AuthService, spec *ForwardAuthSpec) *pool.Backend {
	if spec.URL.V == "" {
		return nil // that is a fault already
	}
	if len(b.uses) >= allBackendsMost {
		b.overfull = true
		b.report.Fault(spec.Pos, "", "the tenant has more than %d backends and auth services", allBackendsMost)
		return nil
	}
	at := spec.URL
	a.origin, a.path = cutOrigin(at.V)
	if err := new(pool.CheckPath).ParseConf(a.path); err != nil {
		b.report.Fault(at.Pos, "", "url %q: %v", at.V, err)
		return nil
	}
	written := pool.BackendSpec{
		URL: conf.At[string]{V: a.origin, Pos: at.Pos}, Shared: spec.Shared, CA: spec.CA, ServerName: spec.ServerName,
		Host: conf.At[string]{V: "backend", Pos: at.Pos},
	}
	readCA := func(string) ([]byte, error) { return b.readCA(spec.CA) }
	backend := pool.CompileBackend(conf.At[pool.BackendSpec]{V: written, Pos: at.Pos}, readCA, b.report)
	if backend == nil {
		return nil
	}
	b.checkBackend(backend, written.URL)
	b.uses = append(b.uses, backendUse{backend.Address(), backend.Shared(), at.Pos})
	return backend
}

// cutOrigin splits a URL behind its authority. A path that is not written is "/".
func cutOrigin(url string) (origin, path string) {
	start := strings.Index(url, "://") + len("://")
	if start < len("://") {
		return url, "/"
	}
	end := strings.IndexAny(url[start:], "/?#")
	if end < 0 {
		return url, "/"
	}
	origin, path = url[:start+end], url[start+end:]
	if path[0] == '?' {
		path = "/" + path
	}
	return origin, path
}

func lowerNames(names conf.List[string]) []string {
	var lowered []string
	for _, name := range names.Values() {
		lowered = append(lowered, strings.ToLower(name))
	}
	slices.Sort(lowered)
	return slices.Compact(lowered)
}

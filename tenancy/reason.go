package tenancy

// Reason is the stable code of why something was refused: the same word in
// logs, metrics, explain and expect cases.
type Reason uint8

// The reasons of this version, in the order of the gates. The comments say
// what was refused.
const (
	NoReason           Reason = iota
	Blocked                   // an address of the block list
	TooManyConnections        // one connection more than the client's address may have
	ProxyHeader               // a missing or malformed PROXY header, or one where none belongs
	UnknownHost               // a name that no served tenant has
	NoCertificate             // a name that there is no certificate for
	IPNotAllowed              // an address that tenant, host or route does not admit
	BadRequest                // a malformed request
	MethodNotAllowed          // CONNECT
	Misdirected               // an authority of another tenant or TLS policy than the SNI's
	AmbiguousPath             // a path that backends may read in different ways
	NoRoute                   // a path that no route of the host owns
	Suspended                 // a tenant that an operator has suspended
	Maintenance               // a tenant, host or route that is closed for a while
	Draining                  // a tenant, or all backends of a route, that an operator drains
	RateLimited               // one request more than a tenant, route or client may send just then
	AuthRequired              // somebody without the right name and password, or whom an auth service refuses
	AuthUnavailable           // an auth service that gave no verdict
	TooManyInFlight           // one more in progress than there may be
	BodyTooLarge              // a body longer than limits.body
	TooSlow                   // a client that did not send in time
	NoHealthyBackend          // no backend takes requests at the moment
	BackendConnect            // no backend could be reached
	BackendTLS                // no backend could be verified
	BackendProtocol           // a malformed answer of the backend
	BackendTimeout            // no answer of the backend in time
	TotalTimeout              // an exchange that takes longer than timeouts.total
	Internal                  // a fault of the gateway
	ClientGone                // the client left before its answer
	reasonsEnd
)

// reasons is indexed by Reason. A judged reason is one that a door gives, so
// that an expect case may name it.
var reasons = [reasonsEnd]struct {
	name   string
	status int
	judged bool
}{
	Blocked:            {"blocked", 0, true},
	TooManyConnections: {"too_many_connections", 0, false},
	ProxyHeader:        {"proxy_header", 0, false},
	UnknownHost:        {"unknown_host", statusNotFound, true},
	NoCertificate:      {"no_certificate", 0, true},
	IPNotAllowed:       {"ip_not_allowed", statusForbidden, true},
	BadRequest:         {"bad_request", statusBadRequest, true},
	MethodNotAllowed:   {"method_not_allowed", statusMethodNotAllowed, true},
	Misdirected:        {"misdirected", statusMisdirected, true},
	AmbiguousPath:      {"ambiguous_path", statusBadRequest, true},
	NoRoute:            {"no_route", statusNotFound, true},
	Suspended:          {"suspended", statusUnavailable, false},
	Maintenance:        {"maintenance", statusUnavailable, true},
	Draining:           {"draining", statusUnavailable, false},
	RateLimited:        {"rate_limited", statusTooManyRequests, false},
	AuthRequired:       {"auth_required", statusUnauthorized, true},
	AuthUnavailable:    {"auth_unavailable", statusUnavailable, false},
	TooManyInFlight:    {"too_many_in_flight", statusUnavailable, false},
	BodyTooLarge:       {"body_too_large", statusTooLarge, false},
	TooSlow:            {"too_slow", statusRequestTimeout, false},
	NoHealthyBackend:   {"no_healthy_backend", statusUnavailable, false},
	BackendConnect:     {"backend_connect", statusBadGateway, false},
	BackendTLS:         {"backend_tls", statusBadGateway, false},
	BackendProtocol:    {"backend_protocol", statusBadGateway, false},
	BackendTimeout:     {"backend_timeout", statusGatewayTimeout, false},
	TotalTimeout:       {"total_timeout", statusGatewayTimeout, false},
	Internal:           {"internal", statusInternal, false},
	ClientGone:         {"client_gone", statusClientGone, false},
}

// laterReasons are known words that nothing in this version gives.
var laterReasons = []string{
	"client_cert",
}

// AllReasons returns the reasons of this version in the order of the gates.
func AllReasons() []Reason {
	all := make([]Reason, 0, reasonsEnd-1)
	for r := NoReason + 1; r < reasonsEnd; r++ {
		all = append(all, r)
	}
	return all
}

// String returns the code, like "ip_not_allowed", and "" for NoReason.
func (r Reason) String() string {
	if r >= reasonsEnd {
		return ""
	}
	return reasons[r].name
}

// Status returns the usual HTTP status of the answer; 0 when there is none and
// the connection is closed. What a verdict says about one refusal stands in
// Verdict.Status.
func (r Reason) Status() int {
	if r >= reasonsEnd {
		return 0
	}
	return reasons[r].status
}

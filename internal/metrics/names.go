package metrics

import "github.com/prometheus/client_golang/prometheus"

// desc declares one metric: its name after the prefix, what it counts, and its
// labels.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gatehouse_"+name, help, labels, nil)
}

// The metrics, all of them. Labels: tenant is an id of the table, listener an
// address of the main file, reason a word of the refusal table, class the first
// digit of a status ("2xx"), result a word of ReloadResults or of what orders
// end in, limit a word of LimitNames, coding one of CodingNames, means of MeansNames, ca an authority of the main file, state a word of what hosts are in.
var (
	tenantRequests = desc("requests_total",
		"Requests answered, by the class of the status.", "tenant", "class")
	tenantRefusals = desc("refusals_total",
		"Requests that the gateway refused or could not forward, by reason.", "tenant", "reason")
	tenantBytesIn = desc("request_body_bytes_total",
		"Bytes of request bodies and of upgraded connections received from clients.", "tenant")
	tenantBytesOut = desc("response_body_bytes_total",
		"Bytes of response bodies and of upgraded connections sent to clients.", "tenant")
	tenantInFlight = desc("requests_in_flight",
		"Requests and upgraded connections in progress.", "tenant")
	tenantConnections = desc("tenant_connections",
		"Open client connections whose handshake named a host of the tenant.", "tenant")
	tenantDuration = desc("request_duration_seconds",
		"Time from the head of a request to the last byte of its answer; upgrades not counted.", "tenant")
	tenantConnects = desc("backend_connects_total",
		"Connections opened to backends.", "tenant")
	tenantConnectFailures = desc("backend_connect_failures_total",
		"Connections to backends that could not be opened.", "tenant")
	tenantRetries = desc("backend_retries_total",
		"Requests sent again, to a fresh connection or to the next backend.", "tenant")
	tenantRetriesRefused = desc("retries_refused_total",
		"Requests that were not sent to one more backend because the tenant had retried as much as it may.", "tenant")
	tenantPoolBackends = desc("pool_backends",
		"Backends of a named pool (pool:NAME) or of a route by how they stand, where there are several or they are looked at.", "tenant", "route", "state")
	tenantBackendChanges = desc("backend_transitions_total",
		"Times that a backend began to get requests again, or ceased to because of its health.", "tenant", "to")
	tenantCrowded = desc("circuit_breaker_total",
		"Requests that a backend had no room for because of circuit_breaker, whether another one took them or not.", "tenant")
	tenantCanaryRequests = desc("canary_requests_total",
		"Requests that canaries had.", "tenant")
	tenantCanaryErrors = desc("canary_errors_total",
		"Requests that canaries failed or answered with 500 to 599.", "tenant")
	tenantCanaryPassed = desc("canary_fallbacks_total",
		"Requests that a canary did not take, or failed without harm, and that went to the backends beside it.", "tenant")
	tenantCanaryGivenUp = desc("canary_aborts_total",
		"Canaries given up because of their errors.", "tenant")
	tenantCanariesDown = desc("canaries_aborted",
		"Canaries of the table in use that are given up.", "tenant")
	tenantMirrored = desc("mirrored_total",
		"Copies of requests, by what became of them: answered, failed, or dropped because too many were under way, the request was too long, or no backend took any.", "tenant", "result")
	backendLookups = desc("backend_lookups_total",
		"Lookups of names that backends are written by, by what came of them.", "result")
	backendNames = desc("backend_names",
		"Names that backends are written by: resolved, kept on their last addresses because they cannot be looked up, or leading nowhere.", "state")
	tenantRevoked = desc("revoked_total",
		"Connections and requests cut because a change of the table no longer admits them.", "tenant")

	tenantCompressed = desc("compressed_responses_total",
		"Answers that were compressed on their way to the client.", "tenant", "coding")
	tenantUncompressed = desc("compression_input_bytes_total",
		"Bytes of bodies before they were compressed.", "tenant")
	tenantCompressedBytes = desc("compression_output_bytes_total",
		"Bytes of the same bodies as they were sent.", "tenant")
	tenantCompressionDeclined = desc("compression_declined_total",
		"Answers that went out as they came because no encoder was left for the tenant.", "tenant")

	tenantLimitUsed = desc("limit_used_ratio",
		"How much of a limit of the tenant is used, from 0 to 1: of its own, a host's or a route's, whichever is nearest.", "tenant", "limit")
	tenantQueued = desc("requests_queued",
		"Requests that wait for their turn because as many are in progress as may be.", "tenant")

	tenantMeans = desc("tenant_means",
		"How much the tenant holds of what all tenants share: bytes of memory by estimate, goroutines, connections of clients, connections to backends.", "tenant", "means")
	tenantShed = desc("shed_total",
		"Connections and requests refused because the tenant has its part of what all tenants share.", "tenant", "means")

	listenerAccepted = desc("accepted_connections_total",
		"TCP connections accepted.", "listener")
	listenerOpen = desc("connections",
		"Open client connections.", "listener")
	listenerHandshakes = desc("handshakes_total",
		"TLS handshakes completed.", "listener")
	listenerHandshakeErrors = desc("handshake_errors_total",
		"TLS handshakes that ended before they were complete, for no reason of ours.", "listener")
	listenerRefusals = desc("connection_refusals_total",
		"Connections and requests refused before a tenant was known, or at the handshake, by reason.", "listener", "reason")
	listenerAcceptErrors = desc("accept_errors_total",
		"Times that accepting a connection met an error, such as no free file descriptor.", "listener")

	accessLogDropped = desc("access_log_dropped_total",
		"Access log lines dropped because their destination was blocked, or failed.")
	logDropped = desc("log_dropped_total",
		"Lines of the log of events dropped because stderr was blocked, or failed.")
	fieldsDropped = desc("fields_dropped_total",
		"Request fields removed because their name could pass for another one at a backend.")
	panics = desc("panics_total",
		"Requests and connections that ended in a fault of the gateway itself.")
	turnsWaiting = desc("turns_waiting",
		"Handshakes, pieces of bodies and, while processors are scarce, requests that wait for their turn of one.")
	processorsScarce = desc("processors_scarce",
		"1 while what is ready to run waits for a processor, so that tenants take turns by their weights.")
	meansTaken = desc("means_taken",
		"How much is taken of what all tenants share: bytes of memory by estimate, goroutines, connections of clients, connections to backends.", "means")
	meansOf = desc("means",
		"How much there is of what all tenants share, in the same units.", "means")
	encodersTaken = desc("encoders_taken",
		"Encoders that compress an answer at the moment, of all tenants together.")
	encodersOf = desc("encoders",
		"Encoders that there may be.")
	leversInForce = desc("levers",
		"Orders of operators in force that were given by command: networks blocked, tenants suspended or in maintenance, tenants and backends drained.", "lever")
	leversLost = desc("levers_lost",
		"1 while orders that an earlier process was given by command may be missing, because the state that kept them was damaged; until the next order.")
	ready = desc("ready",
		"1 while the gateway takes traffic, as /readyz says.")
	stateWriteFailures = desc("state_write_failures_total",
		"Writes to the state folder that failed.")
	stateUnsaved = desc("state_unsaved",
		"1 while the last write to the state folder failed: what is new is in memory alone.")
	generation = desc("table_generation",
		"Number of the table in use.")
	reloads = desc("reloads_total",
		"Attempts to apply a new table, by result.", "result")
	quarantinedTenants = desc("tenants_quarantined",
		"Tenants that run on their last good text, or not at all, because their file is wrong.")
	tenantsServed = desc("tenants",
		"Tenants of the table in use.")
	certificateExpiry = desc("certificate_not_after_seconds",
		"Time at which the tenant's first certificate to expire does so, as Unix time; an empty tenant stands for the main file.", "tenant")

	setQuestions = desc("set_questions_total",
		"Questions put to live sources of sets, by kind and result.", "kind", "result")
	setAge = desc("set_age_seconds",
		"Time since the last good answer of a set's live source, of several the oldest; an empty tenant stands for the main file.", "tenant", "set")
	setSources = desc("set_sources",
		"Live sources of sets by how they stand.", "state")

	acmeOrders = desc("acme_orders_total",
		"Orders of certificates that ended, by authority and result.", "ca", "result")
	acmeHosts = desc("acme_hosts",
		"Hosts whose certificates come by ACME, by state.", "state")
	acmeLag = desc("acme_renewal_lag_seconds",
		"How far the renewal that is latest is behind the moment that was chosen for it.")
	acmeStore = desc("acme_store_works",
		"1 while what is obtained can be stored; 0 while nothing is ordered because it cannot.")
	acmeBudgetLeft = desc("acme_budget_orders_left",
		"Orders that may be placed with the authority at once.", "ca")
	acmeBudgetOf = desc("acme_budget_orders",
		"Orders that may be placed with the authority at once when none was for long.", "ca")
	acmeDown = desc("acme_authority_down",
		"1 while nothing is ordered from the authority because it does not work.", "ca")
	acmeNotAfter = desc("acme_not_after_seconds",
		"Time at which the tenant's first certificate by ACME to expire does so, as Unix time.", "tenant")
	acmeAttempts = desc("acme_attempts_left",
		"Orders that can fail before a certificate of the tenant expires, at the present budget: of the one with the fewest; 99 stands for more.", "tenant")
)

// durationBuckets are the upper bounds of the request duration histogram, in
// seconds: from an answer out of memory on the same machine to a report that
// takes minutes.
var durationBuckets = [...]float64{
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
}

// classes are the values of the label class, by the first digit of the status.
var classes = [...]string{"", "1xx", "2xx", "3xx", "4xx", "5xx"}

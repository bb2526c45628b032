// Package metrics counts what the gateway does and shows it to Prometheus.
//
// Every name, label and help text stands in names.go. The values themselves
// are plain atomic counters in the structs Tenant, Listener and Set, found once
// when a table is applied, so that a request adds to a few pointers and never
// looks anything up, takes a lock or allocates. They become Prometheus samples
// only while a scrape runs.
//
// Label values come from the operator's files and from fixed tables: a tenant's
// id, a listener's address, a reason, a status class. Nothing that a client sent
// is ever a label, so that no stranger can make the number of series grow. A
// counter that never moved is not shown for a tenant, which keeps a scrape of
// many thousand quiet tenants small.
//
// The package is the only one that imports the Prometheus client.
package metrics

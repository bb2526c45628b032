package proxy

import (
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
)

// running is the moving half of a tenant: what its routes need besides the
// table's decisions. It is built when a table is applied and then only read.
type running struct {
	metrics *metrics.Tenant
	// pools are the backends of the routes, by Route.Index.
	pools []*pool.Pool
}

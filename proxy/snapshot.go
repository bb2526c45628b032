package proxy

import "gatehouse/tenancy"

// snapshot is a table with the running half of each of its tenants. It is never
// written after it was stored; a request loads it once and keeps to it.
type snapshot struct {
	table   *tenancy.Table
	running map[*tenancy.Tenant]*running
}

// snapshot returns what is decided by now; nil before the first Apply.
func (s *Server) snapshot() *snapshot { return s.current.Load() }

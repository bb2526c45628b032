package tenancy

import (
	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// destination is where requests go, as written: backends and what stands beside
// them.
type destination struct {
	backends conf.OneOrMany[pool.BackendSpec]
	canary   *CanarySpec
	mirror   *MirrorSpec
}

// below returns what a narrower level makes of d. What stands beside backends
// belongs to them: whoever names others begins without it.
func (d destination) below(narrower destination) destination {
	if narrower.backends.Set() {
		return narrower
	}
	if narrower.canary != nil {
		d.canary = narrower.canary
	}
	if narrower.mirror != nil {
		d.mirror = narrower.mirror
	}
	return d
}

// check warns about what stands beside no backends.
func (d destination) check(r *conf.Report) {
	if d.canary != nil && !d.backends.Set() {
		r.Warn(d.canary.Pos, "write it where the backends are", "canary stands where there are no backends, and comes to nothing")
	}
	if d.mirror != nil && !d.backends.Set() {
		r.Warn(d.mirror.Pos, "write it where the backends are", "mirror stands where there are no backends, and comes to nothing")
	}
}

func (s *TenantSpec) destination() destination { return destination{s.Backends, s.Canary, s.Mirror} }

func (s *HostSpec) destination() destination { return destination{s.Backends, s.Canary, s.Mirror} }

func (s *RouteSpec) destination() destination { return destination{s.Backends, s.Canary, s.Mirror} }

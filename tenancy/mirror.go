package tenancy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// MirrorSpec is backends that get copies of requests, as written.
type MirrorSpec struct {
	Pos      conf.Pos
	Backends conf.OneOrMany[pool.BackendSpec] `conf:"backends,required" doc:"where the copies go; what is answered there is thrown away" example:"pool:shadow"`
	Share    conf.At[conf.Percent]            `conf:"share" default:"100%" doc:"how many of the requests are copied" example:"10%" also:"percent,weight"`
	Methods  conf.List[string]                `conf:"methods" enum:"GET|HEAD|OPTIONS|PUT|DELETE|POST|PATCH" default:"[GET, HEAD, OPTIONS, PUT, DELETE]" doc:"which requests are copied. POST and PATCH are done twice where both sides work on the same data" example:"[GET, HEAD]"`
}

// idempotentMethods are those that may be done twice (RFC 9110 section 9.2.2), of
// those in use.
var idempotentMethods = []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}

// Mirror is backends that get copies of a route's requests. It is immutable.
type Mirror struct {
	plan    *pool.Plan
	Percent int
	Methods []string
	key     string
	pos     conf.Pos
}

// Plan returns the mirror's backends and how they are used.
func (m *Mirror) Plan() *pool.Plan { return m.plan }

// Key is equal for mirrors that mean the same.
func (m *Mirror) Key() string { return m.key }

// Copies reports whether requests of a method are copied. It does not allocate.
func (m *Mirror) Copies(method []byte) bool {
	for _, known := range m.Methods {
		if string(method) == known {
			return true
		}
	}
	return false
}

// String says which requests are copied, like "10% of GET, HEAD".
func (m *Mirror) String() string {
	return strconv.Itoa(m.Percent) + "% of " + strings.Join(m.Methods, ", ")
}

// CheckConf refuses a list of no methods.
func (s *MirrorSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if s.Methods.Empty() {
		r.Fault(s.Methods.Pos, "write share: 0% for no copies", "methods names none; expected at least one")
	}
}

// compileMirror compiles what stands beside the backends of a route; nil for
// none.
func (b *builder) compileMirror(spec *MirrorSpec, rules *PoolRulesSpec, beside *pool.Plan) *Mirror {
	if spec == nil || !spec.Backends.Set() {
		return nil
	}
	plan := b.compilePlan(spec.Backends, rules)
	if plan.Key() == beside.Key() {
		b.report.Warn(spec.Backends.Pos, "", "mirror goes to the backends beside which it stands")
	}
	m := &Mirror{plan: plan.AsOptional(), Percent: int(spec.Share.Or(100)), Methods: slices.Clone(idempotentMethods), pos: spec.Pos}
	if spec.Methods.Set() {
		m.Methods = spec.Methods.Values()
	}
	m.key = fmt.Sprintf("%s\n%d %q", m.plan.Key(), m.Percent, m.Methods)
	return m
}

// mirror says which requests are copied to where.
func (t *Trace) mirror(m *Mirror) {
	if t != nil && m != nil {
		t.pass(gateMirror, m.pos, "copies of "+m.String()+" to "+planWords(m.plan))
	}
}

package pool

import (
	"fmt"
	"strings"
)

// Rules is how the backends of a pool are used. The zero Rules shares requests
// out in turn and looks at nothing.
type Rules struct {
	Balance  Balance
	Ejection Ejection
	Health   Health
	// SlowStart has no effect where requests are placed by hash.
	SlowStart SlowStart
	// Breaker holds for each backend of the pool.
	Breaker Breaker
	// Sticky has effect where [Options] have Place.
	Sticky Sticky
	// Optional says that another pool takes what this one does not: the last
	// backend may be ejected as well, and one that is ejected gets no requests but
	// those that try it.
	Optional bool
}

// spareless reports whether all backends may be ejected, and get no requests then.
func (r *Rules) spareless() bool { return r.Optional || r.Ejection.Last }

// Plan is the declared half of a pool: its backends and how they are used. It is
// immutable.
type Plan struct {
	Name     string // that the operator gave it; "" for none
	Backends []*Backend
	Rules    Rules
	key      string
}

// NewPlan returns the plan of a pool.
func NewPlan(backends []*Backend, rules Rules) *Plan {
	keys := make([]string, len(backends), len(backends)+1)
	for i, b := range backends {
		keys[i] = b.Key() + b.role()
	}
	if rules != (Rules{Ejection: builtinEjection}) {
		keys = append(keys, rules.key())
	}
	return &Plan{Backends: backends, Rules: rules, key: strings.Join(keys, "\n")}
}

// Named returns the plan with a name. Plans of different names share no running
// pool, whatever else they have in common.
func (p *Plan) Named(name string) *Plan {
	return &Plan{Name: name, Backends: p.Backends, Rules: p.Rules, key: p.key + "\nname " + name}
}

// AsOptional returns the same backends in a pool beside another one, see
// [Rules].
func (p *Plan) AsOptional() *Plan {
	rules := p.Rules
	rules.Optional = true
	return &Plan{Name: p.Name, Backends: p.Backends, Rules: rules, key: p.key + "\noptional"}
}

// Key is equal for plans that have the same backends, reached and used in the
// same way: they may share a running pool.
func (p *Plan) Key() string { return p.key }

// role is what two backends that are reached in the same way may differ in.
func (b *Backend) role() string {
	if b.weight == 1 && !b.backup && b.state == Active {
		return ""
	}
	return fmt.Sprintf(" weight %d backup %t %s", b.weight, b.backup, b.state)
}

func (r Rules) key() string {
	return fmt.Sprintf("%s; %s; %v; %s; %s; %v", r.Balance, r.Ejection, healthKey(r.Health), r.SlowStart, r.Sticky, r.Breaker)
}

// healthKey has what String leaves out.
type healthKey Health

// Describe returns what an operator should know of a backend's part, like
// "10.4.1.10:8080 (weight 3)".
func (b *Backend) Describe() string {
	var notes []string
	if b.weight != 1 {
		notes = append(notes, fmt.Sprintf("weight %d", b.weight))
	}
	if b.backup {
		notes = append(notes, "backup")
	}
	if b.state != Active {
		notes = append(notes, b.state.String())
	}
	if notes == nil {
		return b.address
	}
	return b.address + " (" + strings.Join(notes, ", ") + ")"
}

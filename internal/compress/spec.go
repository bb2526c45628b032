package compress

import (
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// Spec is how answers are compressed, as written: codings, off, or a map.
type Spec struct {
	Pos     conf.Pos
	Codings conf.OneOrMany[string] `conf:"codings,short" enum:"zstd|br|gzip|off" default:"off" doc:"the codings that clients may have, the preferred first among those that a client likes equally" example:"[zstd, br, gzip]"`
	Types   conf.List[string]      `conf:"types" default:"text/*, +json, +xml, and the types of scripts, XML, WebAssembly and fonts that are not compressed themselves" doc:"which answers, by their media type: one, text/*, or +json for all that end so; never events, gRPC and what is compressed in itself" example:"[text/html, application/json]"`
	Min     conf.At[conf.Size]     `conf:"min" default:"1KiB" doc:"answers that say that they are shorter go out as they come, 64B to 1MiB" example:"4KiB"`
}

// off stands in place of codings.
const off = "off"

const (
	// minBuiltin fills a packet or so: there is nothing to be gained below it.
	minBuiltin = 1 << 10
	// minLeast: shorter texts grow.
	minLeast = 64
	// minMost: above it nobody compresses.
	minMost = 1 << 20
	// typesMost bounds what each answer's type is compared with.
	typesMost = 64
	// typeBytesMax is longer than any registered media type.
	typeBytesMax = 128
)

// CheckConf holds s to what can be.
func (s *Spec) CheckConf(_ conf.Pos, r *conf.Report) {
	for i, c := range s.Codings.Items {
		switch {
		case c.V == off && len(s.Codings.Items) > 1:
			r.Fault(c.Pos, "", "%q stands among codings; expected it alone", off)
		case slices.ContainsFunc(s.Codings.Items[:i], func(o conf.At[string]) bool { return o.V == c.V }):
			r.Fault(c.Pos, "", "the coding %q stands twice", c.V)
		}
	}
	if s.Codings.Empty() {
		r.Fault(s.Codings.Pos, "write compression: off", "codings is empty; expected at least one")
	}
	if s.Min.Set() && (s.Min.V < minLeast || s.Min.V > minMost) {
		r.Fault(s.Min.Pos, "", "min is %q; expected %q to %q", s.Min.V, conf.Size(minLeast), conf.Size(minMost))
	}
	if len(s.Types.Items) > typesMost {
		r.Fault(s.Types.Pos, "", "types has %d entries; expected at most %d", len(s.Types.Items), typesMost)
	}
	for _, t := range s.Types.Items {
		if why := typeFault(strings.ToLower(t.V)); why != "" {
			r.Fault(t.Pos, "", "type %q %s", t.V, why)
		}
	}
}

// Compile returns the rules that s declares, nil where nothing is compressed.
func (s *Spec) Compile() *Rules {
	if s == nil || len(s.Codings.Items) == 0 || s.Codings.Items[0].V == off {
		return nil
	}
	r := &Rules{min: int64(s.Min.Or(minBuiltin)), types: builtinTypes}
	for _, word := range s.Codings.Values() {
		if c := named([]byte(word)); c != codingsEnd {
			r.codings = append(r.codings, c)
		}
	}
	if s.Types.Set() {
		r.types = newTypes(s.Types.Values())
	}
	return r
}

// Describe says in words what is compressed, and with what.
func (r *Rules) Describe() string {
	types := "texts"
	if r.types != builtinTypes {
		types = strings.ReplaceAll(r.types.key, ",", ", ")
	}
	return types + " of " + conf.Size(r.min).String() + " or more, with " + r.String()
}

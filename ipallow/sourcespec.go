package ipallow

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"time"

	"gatehouse/internal/conf"
)

// SetEntrySpec is one entry of a set as written: an address or a network, or
// where such are to be had.
type SetEntrySpec struct {
	IP      conf.At[string]        `conf:"ip,one,short" doc:"an address, or a network without bits beyond its length" example:"203.0.113.0/28"`
	DNS     conf.At[string]        `conf:"dns,one" doc:"a name whose addresses are listed; private ones among them are left out" example:"vpn.acme.example"`
	File    conf.At[string]        `conf:"file,one" doc:"a file with an address or network on each line, and notes behind #; read again when it changes" example:"lists/partners.txt"`
	URL     conf.At[string]        `conf:"url,one" doc:"the same behind an https URL; redirects are not followed, and from a tenant file it must lead to a public address" example:"https://lists.example/partners.txt"`
	CA      conf.At[string]        `conf:"ca" default:"the system's" doc:"file with the authorities that the server of url is verified against" example:"ca/lists.pem"`
	Refresh conf.At[conf.Duration] `conf:"refresh" default:"1m; of a file 10s, of a url 1h" doc:"how often dns, file or url are asked, 1s to 7d; a name at most every 10s, a url every 1m" example:"5m"`
	Keep    conf.At[conf.Duration] `conf:"keep" default:"7d" doc:"for how long the last good answer goes on to admit while there is no other, 1m to 366d; it goes on to refuse for good" example:"24h"`
	Max     conf.At[int]           `conf:"max" default:"100 of dns, else 10000" doc:"addresses and networks that an answer may have, 1 to 100000; one with more is not taken" example:"4"`
	Why     conf.At[string]        `conf:"why" doc:"note for whoever reads the set or an explanation" example:"head office"`
	Until   conf.At[conf.Date]     `conf:"until" doc:"the last day, UTC, on which the entry counts" example:"2027-01-31"`
}

const (
	// sourcesMost bounds the live sources of one file: each is asked again and
	// again.
	sourcesMost = 256
	// listedMost bounds what those of one file list together, by their max: some
	// 100 MiB where all are full.
	listedMost = 1_000_000
	// contentsMost bounds what one source lists; the published lists of clouds
	// have a tenth of it.
	contentsMost = 100_000
	// nameBytesMost is the longest name that DNS has (RFC 1035 section 2.3.4).
	nameBytesMost = 253
	// urlBytesMost is what every server takes (RFC 9110 section 4.1 asks for it).
	urlBytesMost = 8000
	refreshMost  = 7 * 24 * time.Hour
	keepLeast    = time.Minute
	keepMost     = 366 * 24 * time.Hour
	keepDefault  = 7 * 24 * time.Hour
)

// pace is what depends on the kind of a source.
type pace struct {
	refreshLeast, refresh time.Duration
	max                   int
}

var paces = map[SourceKind]pace{
	DNSSource:  {10 * time.Second, time.Minute, 100},
	FileSource: {time.Second, 10 * time.Second, 10_000},
	URLSource:  {time.Minute, time.Hour, 10_000},
}

// Origin says whose text sets are written in. The zero Origin is the main file.
type Origin struct {
	Owner    string // the tenant's id
	Confined bool   // it is a file of the tenant's own; see Source
	// Resolve turns a path as written into one as Source has it; nil leaves it.
	Resolve func(path string) (string, error)
}

// entry returns what the entry says of an address or network.
func (s *SetEntrySpec) entry() *EntrySpec { return &EntrySpec{IP: s.IP, Why: s.Why, Until: s.Until} }

// live returns which source the entry names; ok is false for an address.
func (s *SetEntrySpec) live() (kind SourceKind, target conf.At[string], ok bool) {
	switch {
	case s.DNS.Set():
		return DNSSource, s.DNS, true
	case s.File.Set():
		return FileSource, s.File, true
	case s.URL.Set():
		return URLSource, s.URL, true
	}
	return 0, conf.At[string]{}, false
}

// CheckConf refuses keys that say nothing about what they stand beside.
func (s *SetEntrySpec) CheckConf(_ conf.Pos, r *conf.Report) {
	kind, target, live := s.live()
	for _, key := range []struct {
		name string
		pos  conf.Pos
	}{{"refresh", s.Refresh.Pos}, {"keep", s.Keep.Pos}, {"max", s.Max.Pos}, {"ca", s.CA.Pos}} {
		switch {
		case key.pos.IsZero():
		case !live:
			r.Fault(key.pos, "remove it", "%s stands beside ip; it belongs to dns, file or url", key.name)
		case key.name == "ca" && kind != URLSource:
			r.Fault(key.pos, "remove it", "ca stands beside %s %q; it belongs to url", kind, target.V)
		}
	}
	if live {
		s.checkPace(paces[kind], r)
	}
}

func (s *SetEntrySpec) checkPace(p pace, r *conf.Report) {
	if d := time.Duration(s.Refresh.V); s.Refresh.Set() && (d < p.refreshLeast || d > refreshMost) {
		r.Fault(s.Refresh.Pos, "", "refresh is %q; expected %q to %q", s.Refresh.V, conf.Duration(p.refreshLeast), conf.Duration(refreshMost))
	}
	if d := time.Duration(s.Keep.V); s.Keep.Set() && (d < keepLeast || d > keepMost) {
		r.Fault(s.Keep.Pos, "", "keep is %q; expected %q to %q", s.Keep.V, conf.Duration(keepLeast), conf.Duration(keepMost))
	}
	if s.Max.Set() && (s.Max.V < 1 || s.Max.V > contentsMost) {
		r.Fault(s.Max.Pos, "", "max is %d; expected 1 to %d", s.Max.V, contentsMost)
	}
}

// compile turns the entry of a set into a source; nil after a fault.
func (o *Origin) compile(set string, spec *SetEntrySpec, r *conf.Report) *Source {
	kind, target, _ := spec.live()
	usual := paces[kind]
	s := &Source{
		Kind: kind, Target: target.V, Owner: o.Owner, Confined: o.Confined, Set: set, Pos: target.Pos,
		Refresh: time.Duration(spec.Refresh.Or(conf.Duration(usual.refresh))),
		Keep:    time.Duration(spec.Keep.Or(conf.Duration(keepDefault))), Max: spec.Max.Or(usual.max),
	}
	faults := r.Faults()
	switch kind {
	case DNSSource:
		checkName(target, r)
	case FileSource:
		s.Target = o.path("file", target, r)
	case URLSource:
		checkURL(target, r)
		if spec.CA.Set() {
			s.CA = o.path("ca", spec.CA, r)
		}
	}
	if r.Faults() > faults {
		return nil
	}
	return s.identified()
}

func (o *Origin) path(key string, at conf.At[string], r *conf.Report) string {
	if at.V == "" {
		r.Fault(at.Pos, "", "%s is empty; expected the path of a file", key)
		return ""
	}
	if o.Resolve == nil {
		return at.V
	}
	path, err := o.Resolve(at.V)
	if err != nil {
		r.Fault(at.Pos, "", "%s %q cannot be read: %v", key, at.V, err)
	}
	return path
}

// hostName is a full name as DNS has them, with a dot in it.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

func checkName(at conf.At[string], r *conf.Report) {
	_, err := netip.ParseAddr(at.V)
	switch {
	case err == nil:
		r.Fault(at.Pos, fmt.Sprintf("write ip: %s", at.V), "dns is %q, which is an address; expected a name", at.V)
	case len(at.V) > nameBytesMost || !hostName.MatchString(at.V):
		r.Fault(at.Pos, "", "dns is %q; expected a full name in ASCII, like %q", at.V, "vpn.acme.example")
	}
}

func checkURL(at conf.At[string], r *conf.Report) {
	u, err := url.Parse(at.V)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || len(at.V) > urlBytesMost:
		r.Fault(at.Pos, "", "url is %q; expected one like %q", at.V, "https://lists.example/partners.txt")
	case u.Scheme != "https":
		r.Fault(at.Pos, "write https://", "url is %q; what decides who comes in must come by https", at.V)
	case u.User != nil:
		r.Fault(at.Pos, "", "url names a user; expected one without")
	}
}

// census counts what the sources of a file come to.
type census struct{ sources, listed int }

// holds counts the sources of a set, and takes them from it where there are too
// many.
func (c *census) holds(g *group, at conf.Pos, r *conf.Report) bool {
	c.sources += len(g.sources)
	for i := range g.sources {
		c.listed += g.sources[i].source.Max
	}
	switch {
	case c.sources > sourcesMost:
		r.Fault(at, "", "the file names %d live sources up to here; expected at most %d", c.sources, sourcesMost)
	case c.listed > listedMost:
		r.Fault(at, "write a smaller max beside them", "live sources of the file may list %d entries up to here; expected at most %d", c.listed, listedMost)
	default:
		return true
	}
	g.sources = nil
	return false
}

// warnRepeated says which sources of a set stand twice.
func warnRepeated(sources []mention, r *conf.Report) {
	first := make(map[SourceID]Pos, len(sources))
	for i := range sources {
		id := sources[i].source.Place()
		if at, ok := first[id]; ok {
			r.Warn(sources[i].pos, "remove one of the two", "%s is listed at %s as well", sources[i].source, at)
			continue
		}
		first[id] = sources[i].pos
	}
}

package tenancy

import (
	"bytes"
	"path"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// version is one text of a tenant, read. It is immutable.
type version struct {
	id     string
	file   string // as positions name it
	dir    string // of the file, relative to the main file's folder
	text   []byte // nil for a tenant of the main file
	inline bool   // it is written in the main file
	unread bool   // the file could not be read
	spec   *TenantSpec
	report *conf.Report // what reading it found
	hosts  []hostClaim  // those that can be read, also where the rest cannot
	lends  map[string]conf.Pos
}

// hostClaim is a host as a text names it.
type hostClaim struct {
	name string // normalised, or "*.name"
	pos  conf.Pos
	spec *HostSpec
}

// label marks positions in a text that is no longer what the file says.
const formerLabel = " (last good)"

// readVersion reads the text of a tenant file. Its faults are in its report.
func readVersion(d *conf.Decoder, id, shown, dir string, text []byte) *version {
	v := &version{id: id, file: shown, dir: dir, text: text, spec: new(TenantSpec), report: new(conf.Report)}
	d.Decode(shown, text, v.spec, v.report)
	v.readNames()
	return v
}

// inlineVersion is a tenant of the main file, whose reading found its faults
// already.
func inlineVersion(entry *conf.Entry[TenantSpec], mainFile string) *version {
	v := &version{id: entry.Key, file: mainFile, dir: ".", inline: true, spec: &entry.V, report: new(conf.Report)}
	checkID(entry.Key, entry.Pos, v.report)
	v.readNames()
	return v
}

// shownPath returns a path below the main file's folder as the operator would
// type it.
func shownPath(mainFile, file string) string {
	if dir := path.Dir(mainFile); dir != "." {
		return path.Join(dir, file)
	}
	return file
}

// hostsMost bounds the hosts of a tenant: each costs a place in the table and,
// where no file covers it, a certificate of the internal CA, of which ten
// thousand take a second.
const hostsMost = 10_000

// tenantIDBytesMax keeps ids usable as a DNS label and as a file name.
const tenantIDBytesMax = 63

func isTenantID(id string) bool {
	if id == "" || len(id) > tenantIDBytesMax || id[0] == '-' {
		return false
	}
	return strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func checkID(id string, at conf.Pos, r *conf.Report) {
	if !isTenantID(id) {
		r.Fault(at, "", "%q is not a tenant's id; an id is up to 63 lower-case letters, digits and hyphens, and begins with a letter or digit", id)
	}
}

// readNames reads hosts and lends.
func (v *version) readNames() {
	if n := len(v.spec.Hosts.Items); n > hostsMost {
		v.report.Fault(v.spec.Hosts.Pos, "split the tenant, or use a wildcard", "the tenant has %d hosts; expected at most %d", n, hostsMost)
		v.spec.Hosts.Items = v.spec.Hosts.Items[:hostsMost]
	}
	first := make(map[string]conf.Pos, len(v.spec.Hosts.Items))
	for i := range v.spec.Hosts.Items {
		spec := &v.spec.Hosts.Items[i].V
		at := spec.Host
		if at.V == "" {
			continue // reading it was a fault
		}
		name, err := parseHost(at.V)
		if err != nil {
			v.report.Fault(at.Pos, "", "%v", err)
			continue
		}
		if pos, ok := first[name]; ok {
			v.report.Fault(at.Pos, "remove one of the two", "host %q stands here and at %s", at.V, pos)
			continue
		}
		first[name] = at.Pos
		v.hosts = append(v.hosts, hostClaim{name, at.Pos, spec})
	}
	if v.spec.Hosts.Empty() {
		v.report.Fault(v.spec.Hosts.Pos, "", "the tenant has no host; expected at least one name")
	}
	v.readLends(first)
}

func (v *version) readLends(hosts map[string]conf.Pos) {
	v.lends = make(map[string]conf.Pos, len(v.spec.Lends.Items))
	for _, item := range v.spec.Lends.Items {
		name, err := parseHost(item.V)
		if err != nil {
			v.report.Fault(item.Pos, "", "%v", err)
			continue
		}
		_, parent, _ := strings.Cut(name, ".")
		_, wild := hosts["*."+parent]
		pos, own := hosts[name]
		switch {
		case own:
			v.report.Fault(item.Pos, "remove it from lends, or from hosts", "%q is lent here and served at %s", item.V, pos)
		case strings.HasPrefix(name, "*.") || !wild:
			v.report.Fault(item.Pos, "", "%q is not inside a wildcard of this tenant; lends names exact hosts that one of them covers", item.V)
		default:
			v.lends[name] = item.Pos
		}
	}
}

// says reports whether v is what a file with this text comes to.
func (v *version) says(file string, text []byte) bool {
	return !v.unread && v.file == file && bytes.Equal(v.text, text)
}

// compileSets compiles the sets of the text over those of the main file.
func (v *version) compileSets(outer *ipallow.Sets, r *conf.Report) *ipallow.Sets {
	specs := make(conf.Map[ipallow.SetSpec], len(v.spec.Sets))
	for i, e := range v.spec.Sets {
		specs[i] = conf.Entry[ipallow.SetSpec]{Key: e.Key, Pos: e.Pos, V: e.V.SetSpec}
	}
	return v.origin().CompileSets(specs, outer, r)
}

// readableAccess compiles the tenant's access of a text that is faulty
// elsewhere, or returns nil where the access itself, or a set, is faulty, too.
func (v *version) readableAccess(outer *ipallow.Sets) *ipallow.Access {
	if v.spec.Access == nil || !v.spec.Access.sound {
		return nil
	}
	for i := range v.spec.Sets {
		if !v.spec.Sets[i].V.sound {
			return nil
		}
	}
	var r conf.Report
	access := ipallow.CompileAccess(&v.spec.Access.AccessSpec, v.compileSets(outer, &r), &r)
	if r.Faults() > 0 {
		return nil
	}
	return access
}

package tenancy

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"net/netip"
	"slices"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// world is what the main file says to every tenant.
type world struct {
	in         *Input
	decoder    *conf.Decoder
	builtin    SettingsSpec // what tls of the main file says, then its defaults
	limits     *Limits      // of builtin
	groups     map[string]*SettingsSpec
	sets       *ipallow.Sets
	block      *ipallow.List
	dialling   dialRules
	httpsOnly  conf.Pos                  // where require.backend_tls is written; zero when it is not
	noPublic   conf.Pos                  // where require.public: forbidden is written
	perRequest *Listener                 // one whose clients are known by X-Forwarded-For; nil for none
	closings   map[conf.Pos]*maintenance // of defaults and groups, by where it is written
	pages      [][sha256.Size]byte       // what they show, in the order in which it is written
	same       bool                      // nothing that tenants are compiled with changed since Previous
}

// newWorld reads the main file's part. Its faults are the main file's.
func newWorld(in *Input, r *conf.Report) *world {
	w := &world{in: in, decoder: conf.NewDecoder(), closings: make(map[conf.Pos]*maintenance)}
	if in.Previous != nil {
		earlier := in.Previous.memory.input
		w.decoder = in.Previous.memory.decoder
		w.same = in.sameAs(earlier)
		// Tenants keep what they were compiled with. Without this, ten thousand that
		// changed one by one would hold as many copies of a shared set.
		in.Sets = in.Sets.Reusing(earlier.Sets)
	}
	w.sets = in.Sets
	w.builtin.TLS = &tlsconfig.Spec{HSTS: in.TLS.HSTS}
	if in.TLS.HSTS != nil && in.TLS.Issuer == InternalCA {
		r.Note(in.TLS.HSTS.Pos, "", "hosts that are served from the internal CA get no HSTS")
	}
	if in.Main.Defaults != nil {
		checkShared(in.Main.Defaults, "defaults", r)
		w.shareMaintenance(in.Main.Defaults.Maintenance, r)
		if in.Main.Defaults.fits() {
			w.decoder.Merge(&w.builtin, in.Main.Defaults)
		}
	}
	w.limits = w.builtin.limits()
	w.groups = make(map[string]*SettingsSpec, len(in.Main.Groups))
	for i := range in.Main.Groups {
		group := &in.Main.Groups[i]
		checkShared(&group.V, "groups", r)
		w.shareMaintenance(group.V.Maintenance, r)
		if group.V.fits() {
			w.groups[group.Key] = &group.V
		} else {
			w.groups[group.Key] = new(SettingsSpec)
		}
	}
	w.same = w.same && w.samePages(in.Previous.memory)
	w.block = in.Sets.CompileRefusing(in.Main.Block, r)
	w.dialling = dialRules{listeners: slices.Clone(in.Listeners), machine: in.MachineAddrs}
	for _, address := range in.Reserved {
		// Whoever passes it judged it; what cannot be read is no place to dial.
		if l := readAddress(conf.At[string]{V: address}, new(conf.Report)); l != nil {
			w.dialling.listeners = append(w.dialling.listeners, l)
		}
	}
	w.readRequire(r)
	w.checkChallenges(r)
	for _, l := range in.Listeners {
		if l.perRequest() {
			w.perRequest = l
		}
	}
	return w
}

// checkShared judges settings that several tenants inherit.
func checkShared(s *SettingsSpec, key string, r *conf.Report) {
	checkSettings(s, r)
	if s.TLS != nil && s.TLS.Certificates.Set() {
		r.Fault(s.TLS.Certificates.Pos, "write them below tls of the main file, or of a tenant", "certificates stand below %s; they belong to everybody or to one tenant", key)
	}
}

func (w *world) readRequire(r *conf.Report) {
	require := w.in.Main.Require
	if require == nil {
		return
	}
	w.readNetworks(require.BackendNetworks, r)
	if require.BackendTLS.V {
		w.httpsOnly = require.BackendTLS.Pos
	}
	if require.Public.V == "forbidden" {
		w.noPublic = require.Public.Pos
	}
}

// readNetworks reads backend_networks. A list with a fault refuses the main file;
// no backend is to be blamed for it.
func (w *world) readNetworks(list conf.List[string], r *conf.Report) {
	faults := r.Faults()
	if list.Empty() {
		r.Fault(list.Pos, "", "backend_networks names no network; expected at least one")
	}
	var networks []netip.Prefix
	for _, item := range list.Items {
		p, err := ipallow.ParsePrefix(item.V)
		if err != nil {
			r.Fault(item.Pos, "", "%v", err)
		}
		networks = append(networks, p)
	}
	if r.Faults() == faults {
		w.dialling.networks = networks
	}
}

// settings returns what holds for a tenant of the group before it says anything
// itself. It is a copy that may be merged into.
func (w *world) settings(group string) SettingsSpec {
	s := w.builtin
	if g := w.groups[group]; g != nil {
		w.decoder.Merge(&s, g)
	}
	return s
}

func (w *world) groupNames() []string { return slices.Sorted(maps.Keys(w.groups)) }

// sameAs reports whether everything that tenants are compiled with is as in an
// earlier input.
func (in *Input) sameAs(earlier *Input) bool {
	return in.MainText != nil && bytes.Equal(in.MainText, earlier.MainText) &&
		in.MainFile == earlier.MainFile && in.Keys == earlier.Keys && in.PublicPort == earlier.PublicPort &&
		slices.Equal(in.TLS.Names, earlier.TLS.Names) &&
		slices.EqualFunc(in.TLS.Certificates, earlier.TLS.Certificates, func(a, b *tlsconfig.Certificate) bool {
			return a.Digest() == b.Digest()
		}) &&
		slices.EqualFunc(in.Listeners, earlier.Listeners, sameListener)
}

// sameListener reports whether two listeners mean the same to a tenant.
func sameListener(a, b *Listener) bool {
	return a.Address == b.Address && a.Mode == b.Mode && a.Plain == b.Plain && a.Trust.Digest() == b.Trust.Digest()
}

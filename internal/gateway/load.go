package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// loader reads the main file and everything that it leads to. It keeps nothing
// of what it read but how files are decoded.
type loader struct {
	path     string // of the main file, as the operator typed it
	decoder  *conf.Decoder
	purpose  purpose
	lastGood func(tenant string) ([]byte, bool)
}

// purpose is what a tree is loaded for.
type purpose uint8

const (
	toRun     purpose = iota
	toCheck           // keys may be unreadable, and every expect case binds
	toExplain         // keys may be unreadable
)

func newLoader(path string, p purpose) *loader {
	return &loader{path: path, decoder: conf.NewDecoder(), purpose: p}
}

// keys says what a key that cannot be read is.
func (l *loader) keys() tenancy.KeyMode {
	if l.purpose == toRun {
		return tenancy.KeysRequired
	}
	return tenancy.NoteIfUnreadable
}

// cases says what an expect case that fails does. At a start there is nothing
// to go on with in place of what is refused.
func (l *loader) cases(previous *loaded) tenancy.CaseMode {
	if l.purpose == toCheck || previous != nil {
		return tenancy.CasesBind
	}
	return tenancy.CasesWarn
}

// loaded is a whole tree, compiled. It is immutable.
type loaded struct {
	config    *Config
	text      []byte // of the main file
	admission admission
	shared    shared
	table     *tenancy.Table
	result    *tenancy.Result
	folders   []string // what must be watched
}

// admission is who may use the doors for operators; nil admits all.
type admission struct{ health, admin *ipallow.List }

// base returns the folder that relative paths of the main file start from.
func (l *loader) base() string { return filepath.Dir(l.path) }

// main reads and decodes the main file alone.
func (l *loader) main(r *conf.Report) (*Config, []byte, error) {
	text, err := os.ReadFile(l.path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the main file: %w", err)
	}
	config := new(Config)
	l.decoder.Decode(l.path, text, config, r)
	return config, text, nil
}

// load reads and compiles the whole tree. Its error means that there is nothing
// to compile; what is wrong in the files is in the result's report.
func (l *loader) load(previous *loaded) (*loaded, error) {
	report := new(conf.Report)
	config, text, err := l.main(report)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(l.base())
	if err != nil {
		return nil, fmt.Errorf("read the main file's folder: %w", err)
	}
	defer func() { _ = root.Close() }() // it was only read

	next := &loaded{config: config, text: text}
	sets := ipallow.CompileSets(config.Sets, nil, report)
	next.admission = config.admission(sets, report)
	next.shared = l.readShared(&config.TLS, previous, report)
	listeners := tenancy.CompileListeners(config.httpAddresses(), config.httpsListeners(), sets, report)
	files, unmatched := tenancy.ReadTree(root.FS(), config.Include, report)
	in := tenancy.Input{
		Main: &config.MainSpec, MainFile: l.path, MainText: text,
		Sets: sets, Listeners: listeners, PublicPort: config.publicPort(listeners),
		TLS:   next.shared.defaults(&config.TLS),
		Files: files, Unmatched: unmatched,
		FS:         root.FS(),
		ReadMain:   func(path string) ([]byte, error) { return os.ReadFile(within(l.base(), path)) },
		ReadSecret: func(s conf.Secret) ([]byte, error) { return readSecret(&s, l.base()) },
		LastGood:   l.lastGood,
		Keys:       l.keys(),
		Cases:      l.cases(previous),
		Now:        time.Now(),

		MachineAddrs: machineAddresses(),
	}
	if previous != nil {
		in.Previous = previous.table
	}
	faults := report.Faults()
	next.table, next.result = tenancy.Compile(in)
	next.result.MainFaults += faults
	next.result.Report.Add(report)
	next.folders = l.foldersOf(config, next.table)
	return next, nil
}

// admission compiles who may use the doors for operators.
func (c *Config) admission(sets *ipallow.Sets, r *conf.Report) admission {
	var a admission
	if h := c.Listen.Health; h != nil && h.Allow.Set() {
		a.health = sets.Compile(h.Allow, r)
	}
	if h := c.Listen.Admin; h != nil && h.Allow.Set() {
		a.admin = sets.Compile(h.Allow, r)
	}
	return a
}

func (c *Config) httpAddresses() conf.List[string] {
	if c.Listen.HTTP.Set() {
		return c.Listen.HTTP
	}
	return conf.List[string]{Items: []conf.At[string]{{V: defaultHTTP}}}
}

func (c *Config) httpsListeners() conf.List[tenancy.ListenerSpec] {
	if c.Listen.HTTPS.Set() {
		return c.Listen.HTTPS
	}
	builtin := tenancy.ListenerSpec{Address: conf.At[string]{V: defaultHTTPS}}
	return conf.List[tenancy.ListenerSpec]{Items: []conf.At[tenancy.ListenerSpec]{{V: builtin}}}
}

// publicPort returns the port that redirects name.
func (c *Config) publicPort(listeners []*tenancy.Listener) int {
	if c.Listen.PublicPort.Set() {
		return int(c.Listen.PublicPort.V)
	}
	for _, l := range listeners {
		if !l.Plain {
			return int(l.Port())
		}
	}
	return 0 // there is no https listener, which is a fault
}

// state returns the folder of what outlives the process.
func (c *Config) state(base string) string { return within(base, c.State.Or(defaultState)) }

// foldersOf lists the folders whose files the tree was read from.
func (l *loader) foldersOf(c *Config, t *tenancy.Table) []string {
	folders := []string{l.base()}
	add := func(path string) { folders = append(folders, filepath.Dir(within(l.base(), path))) }
	for _, pattern := range c.Include.Values() {
		add(pattern)
	}
	for _, spec := range c.TLS.Certificates.Values() {
		if spec.Cert.Set() {
			add(spec.Cert.V)
		}
		if spec.Key != nil && spec.Key.File.Set() {
			add(spec.Key.File.V)
		}
	}
	for _, path := range t.Files() {
		add(path)
	}
	return folders
}

// machineAddresses returns a test for this machine's addresses as they are now.
// Where they cannot be listed only the loopback ones are known.
func machineAddresses() func(netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	own := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				own[addr.Unmap()] = true
			}
		}
	}
	return func(a netip.Addr) bool { return own[a.Unmap()] }
}

// shared is what the main file's tls says about certificates.
type shared struct {
	internal     bool
	certificates []*tlsconfig.Certificate
	names        []string // of pairs whose key could not be read, which check allows
}

func (s *shared) defaults(spec *tlsconfig.Spec) tenancy.TLSDefaults {
	return tenancy.TLSDefaults{
		Profile:      spec.ProfileOr(tlsconfig.Intermediate),
		HSTS:         spec.HSTS,
		Internal:     s.internal,
		Certificates: s.certificates,
		Names:        s.names,
	}
}

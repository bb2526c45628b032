package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// loader reads the main file and everything that it leads to. What it keeps
// from one load to the next only saves time.
type loader struct {
	path     string // of the main file, as the operator typed it
	decoder  *conf.Decoder
	purpose  purpose
	lastGood func(tenant string) ([]byte, bool)
	memory   fileMemory
	machine  machine
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
	pairs     mainPairs
	issuance  issuance
	table     *tenancy.Table
	result    *tenancy.Result
	files     []string        // ids of the tenants that have a file, whatever it says
	unmatched map[string]bool // patterns of include that match no file
	folders   []string        // what must be watched
}

// admission is who may use the doors for operators; nil admits all.
type admission struct{ health, admin *ipallow.List }

// base returns the folder that relative paths of the main file start from.
func (l *loader) base() string { return filepath.Dir(l.path) }

// main reads and decodes the main file alone.
func (l *loader) main(r *conf.Report) (*Config, []byte, error) {
	text, err := readRegular(l.path, conf.MaxFileBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("main file %s: %w; another one goes after -c", l.path, causeOf(err))
	}
	config := new(Config)
	l.decoder.Decode(l.path, text, config, r)
	return config, text, nil
}

// load reads and compiles the whole tree. Its error means that there is nothing
// to compile; what is wrong in the files is in the result's report. It is called
// by one goroutine at a time.
func (l *loader) load(previous *loaded) (*loaded, error) {
	report := new(conf.Report)
	config, text, err := l.main(report)
	if err != nil {
		return nil, err
	}
	files, err := l.memory.open(l.base())
	if err != nil {
		return nil, fmt.Errorf("folder %s of the main file: %w", l.base(), causeOf(err))
	}
	defer files.close()

	next := &loaded{config: config, text: text}
	sets := ipallow.CompileSets(config.Sets, nil, report)
	next.admission = config.admission(sets, report)
	next.pairs = l.readPairs(&config.TLS, previous, report)
	if l.purpose == toCheck {
		l.checkSecrets(config, report)
	}
	listeners := tenancy.CompileListeners(config.httpAddresses(), config.httpsListeners(), sets, report)
	next.issuance = l.compileIssuance(next, listeners, report)
	in := l.input(next, listeners, sets, files, report)
	if err := files.wholly(); err != nil {
		return nil, fmt.Errorf("%s: include: %w", l.path, err)
	}
	if previous != nil {
		in.Previous = previous.table
	}
	in.Cases = l.cases(previous)
	faults := report.Faults()
	next.table, next.result = tenancy.Compile(in)
	next.result.MainFaults += faults
	next.result.Report.Add(report)
	if l.purpose != toRun {
		l.layFiles(next, &next.result.Report)
	}
	next.folders = slices.Concat(files.folders(), l.ownFolders(config), l.sourceFolders(next))
	return next, nil
}

// input gathers what a table is compiled from, all but what came before.
func (l *loader) input(next *loaded, listeners []*tenancy.Listener, sets *ipallow.Sets, files *folder, r *conf.Report) tenancy.Input {
	config := next.config
	tenants, unmatched := tenancy.ReadTree(files, config.Include, r)
	for i := range tenants {
		next.files = append(next.files, tenants[i].ID)
	}
	next.unmatched = make(map[string]bool, len(unmatched))
	for _, pattern := range unmatched {
		next.unmatched[pattern] = true
	}
	return tenancy.Input{
		Main: &config.MainSpec, MainFile: l.path, MainText: next.text,
		Sets: sets, Listeners: listeners, PublicPort: config.publicPort(listeners),
		Reserved: config.doors(),
		TLS:      next.pairs.defaults(&config.TLS),
		Files:    tenants, Unmatched: unmatched,
		FS:         files,
		ReadMain:   files.readOutside,
		ReadSecret: func(s conf.Secret) ([]byte, error) { return readSecret(&s, l.base()) },
		LastGood:   l.lastGood,
		Keys:       l.keys(),
		Now:        time.Now(),

		MachineAddrs: l.machine.has,
		DNSProvider:  next.issuance.provable,
	}
}

// ownFolders lists the folders of what the main file names for itself, and of
// the file that it is a link to.
func (l *loader) ownFolders(c *Config) []string {
	var folders []string
	add := func(path string) { folders = append(folders, filepath.Dir(within(l.base(), path))) }
	if target, err := os.Readlink(l.path); err == nil {
		add(target)
	}
	for _, spec := range c.TLS.Certificates.Values() {
		if spec.Cert.Set() {
			add(spec.Cert.V)
		}
		if spec.Key != nil && spec.Key.File.Set() {
			add(spec.Key.File.V)
		}
	}
	return folders
}

// causeOf returns what the system said about a file, without the path that the
// caller names.
func causeOf(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

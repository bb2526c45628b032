package tenancy

import (
	"io/fs"
	"net/netip"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// Input is everything that a Table is compiled from. Nothing of it may change
// afterwards.
type Input struct {
	Main     *MainSpec
	MainFile string // as the operator would type it
	// MainText is the text of the main file. While it stays equal, tenants whose
	// own files did not change are taken over without a look at them; nil
	// compiles every tenant, and those that mean the same keep their pointers.
	MainText []byte

	Sets      *ipallow.Sets // the main file's
	Listeners []*Listener
	// Reserved are addresses, host:port, that are listened on and serve no
	// tenant: health and admin. No backend is there either.
	Reserved   []string
	PublicPort int // what redirects name; 0 for 443
	TLS        TLSDefaults

	Files []TenantFile // of Main.Include, by id
	// Unmatched are the include patterns that match no file.
	Unmatched []string
	// FS is the folder of the main file. It must not lead out of that folder,
	// neither by ".." nor by a link.
	FS fs.FS
	// ReadMain reads a file that the main file itself names for one of its
	// tenants; it may be anywhere. Nil reads from FS.
	ReadMain func(path string) ([]byte, error)
	// ReadSecret reads a secret that the main file itself names for one of its
	// tenants; nil refuses env and credential there, too.
	ReadSecret func(conf.Secret) ([]byte, error)

	// LastGood returns the text of a tenant file that was in force before the
	// process started. It is asked only where what a file says cannot be served
	// or is contested and Previous does not serve the tenant; several goroutines
	// may ask at once. Nil knows none.
	LastGood func(id string) ([]byte, bool)
	Previous *Table // nil at start-up

	Keys  KeyMode
	Cases CaseMode
	Now   time.Time // for certificates' dates
	// MachineAddrs reports whether an address is one of this machine's; nil knows
	// the loopback ones alone.
	MachineAddrs func(netip.Addr) bool
	// DNSProvider reports whether a tenant may prove control of a name by DNS-01;
	// a wildcard is "*.name". Its answers may change with MainText alone. Nil
	// knows no provider.
	DNSProvider func(tenant, name string) bool
}

// TLSDefaults is what the main file's tls says for hosts that say nothing.
type TLSDefaults struct {
	Profile      tlsconfig.Profile
	HSTS         *tlsconfig.HSTSSpec
	Issuer       CertificateSource        // whom its certificates ask first where no pair covers a host; NoSource for nobody
	ACME         *tlsconfig.ACMESpec      // as it says; nil where no tenant may ask for it
	Certificates []*tlsconfig.Certificate // its pairs from files
	// Names are covered by a pair whose key could not be read, which is how check
	// runs without privileges.
	Names []string
}

// TenantFile is one tenant file as read.
type TenantFile struct {
	ID   string
	Path string // relative to the main file's folder, with slashes
	Text []byte
	Err  error // why it could not be read; the tenant is then broken
}

// KeyMode says what an unreadable private key is.
type KeyMode uint8

// The modes.
const (
	KeysRequired     KeyMode = iota // a fault
	NoteIfUnreadable                // a note: whoever checks need not be root
)

// CaseMode says what a failing expect case does.
type CaseMode uint8

// The modes.
const (
	CasesBind CaseMode = iota // it refuses the new version of its tenant
	CasesWarn                 // it warns: at start-up there is nothing to go on with instead
)

// Result is what a compilation has to say beside its Table.
type Result struct {
	Report conf.Report // every finding, those of quarantined files included

	// MainFaults counts what is wrong with the main file. When it is not zero
	// the Table must not be applied.
	MainFaults int
	// Broken are tenants that Previous serves and whose unchanged file no longer
	// compiles under this main file; they count as faults of the main file.
	Broken []string

	// Expected counts the expect cases that stand in what is served.
	Expected int

	Added, Changed, Removed []string // ids of served tenants, against Previous
	Quarantined             []Quarantine

	// Force says why the Table is not to be applied without the operator's
	// insistence; "" when it may be.
	Force string

	// LastGood are the texts that are in force now and were not before: what is
	// to be kept for the next start. Copies of ids in Removed whose file is gone
	// are to be deleted: see Forget.
	LastGood map[string][]byte
	// Forget are ids that had a file in Previous and have none now.
	Forget []string
}

// Quarantine is a tenant whose file is broken.
type Quarantine struct {
	Tenant   string
	File     string
	Served   bool // on its last good text; otherwise it is not served at all
	Findings []conf.Finding
}

// Applicable reports whether the Table may be applied at all.
func (r *Result) Applicable() bool { return r.MainFaults == 0 }

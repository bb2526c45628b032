package proxy

import (
	"net/netip"
	"sync"
	"syscall"
	"time"

	"gatehouse/tenancy"
)

// Receipt is what is remembered of a request that is over.
type Receipt struct {
	Ref      string
	Started  time.Time
	Table    uint64 // the generation that judged it; 0 where none did
	Client   netip.Addr
	Listener string // as it is written
	Plain    bool   // it came over plain HTTP
	SNI      string // of the handshake
	Protocol string
	Method   string
	Host     string // the authority
	Path     string
	PathCut  bool // the path was longer
	Tenant   string
	Status   int            // what the client got, 0 when nothing
	Relayed  bool           // that was a backend's answer, as far as it came
	Reason   tenancy.Reason // NoReason unless refused, failed or ended early
	ByTable  bool           // Reason is the table's verdict
	Redirect bool           // the table leads it to another address
	Detail   string         // of the reason; "" for none
	Level    string         // what refused by a limit: `tenant "acme"`; "" for none
	Limit    string         // that limit's key below limits, or "basic_auth"
	Asked    bool           // a name and a password were asked for
	BytesIn  int64          // of the bodies
	BytesOut int64
	Took     time.Duration // from the end of the head to the end of the answer
	Queued   time.Duration // part of it: waiting for its turn
	Connect  time.Duration // part of it: dialling
	Vouching time.Duration // part of it: asking auth services
	Tries    []Try         // of backends
}

// Try is one connection to a backend that a request used, or tried to open.
type Try struct {
	Backend string        // with the address, where it is written by name
	Took    time.Duration // until the head of the answer, or until it failed
	Outcome string        // in words, of the backend
	// Answered reports whether the head of an answer has come.
	Answered bool
}

// receiptText is room for the texts of a receipt: names of the usual length and
// 250 bytes of path. What does not fit is cut.
const receiptText = 440

// The texts of a receipt, in the order in which they get room. The path is last:
// it is the longest, and may be cut.
const (
	textTenant = iota
	textListener
	textMethod
	textLimit
	textBackend // of each try
	textHost    = textBackend + triesMax
	textLevel   = textHost + 1
	textDetail  = textHost + 2
	textSNI     = textHost + 3 // empty where it is the host
	textPath    = textHost + 4
	texts       = textHost + 5
)

// The most that each may have: what an operator has named whole, what a client
// or a backend's name makes long only in part.
const (
	receiptNameMax = 64
	receiptHostMax = 128
)

// receipt is a Receipt as it is kept: of a fixed size and without a pointer, so
// that thousands cost the garbage collector nothing.
type receipt struct {
	mu       sync.Mutex
	ref      [refBytes]byte
	started  int64 // Unix nanoseconds
	table    uint64
	bytesIn  int64
	bytesOut int64
	took     time.Duration
	queued   time.Duration
	connect  time.Duration
	vouching time.Duration
	tries    [triesMax]keptTry
	client   [16]byte
	status   uint16
	reason   tenancy.Reason
	flags    receiptFlags
	proto    uint8
	lengths  [texts]uint16 // of the texts, which lie one behind the other
	text     [receiptText]byte
}

type keptTry struct {
	took   time.Duration
	end    tryEnd
	number uint8
}

type receiptFlags uint8

const (
	receiptPlain receiptFlags = 1 << iota
	receiptPathCut
	receiptAsked
	receiptRedirect
	receiptByTable
	receiptUnknownClient
	receiptRelayed
)

// receiptProtocols are those of exchanges.
var receiptProtocols = [...]string{"HTTP/1.1", "HTTP/1.0", "HTTP/2.0"}

// write fills in what became of an exchange. It does not allocate. The caller
// holds mu.
func (r *receipt) write(ex *exchange, now time.Time) {
	r.ref, r.started, r.table = ex.ref, ex.started.UnixNano(), ex.table
	r.bytesIn, r.bytesOut = ex.bytesIn.Load(), ex.bytesOut
	r.took, r.queued, r.connect, r.vouching = now.Sub(ex.started), ex.queued, ex.connected, ex.asked
	r.status, r.reason, r.client = uint16(ex.status), ex.reason, ex.client.As16()
	r.flags, r.proto = r.flagsOf(ex), protocolOf(ex.proto)
	r.lengths = [texts]uint16{}
	w := textWriter{r: r}
	w.string(textTenant, ex.tenantID(), receiptNameMax)
	w.string(textListener, ex.peer.listener.Name, receiptNameMax)
	w.bytes(textMethod, ex.method, logMethodMax)
	w.string(textLimit, ex.limit, receiptNameMax)
	for i := range ex.tries.n {
		t := &ex.tries.list[i]
		r.tries[i] = keptTry{t.took, t.end, uint8(t.number)}
		w.string(textBackend+i, t.backend, receiptNameMax)
		if t.address.IsValid() {
			w.address(textBackend+i, t.address)
		}
	}
	w.bytes(textHost, ex.authority, receiptHostMax)
	w.string(textLevel, ex.level, receiptHostMax)
	w.string(textDetail, ex.detail, receiptHostMax)
	if ex.peer.sni != string(ex.authority) {
		w.string(textSNI, ex.peer.sni, receiptHostMax)
	}
	w.bytes(textPath, ex.path, receiptText)
	if int(r.lengths[textPath]) < len(ex.path) {
		r.flags |= receiptPathCut
	}
}

// protocolOf is the place of a protocol in receiptProtocols.
func protocolOf(proto string) uint8 {
	switch proto {
	case receiptProtocols[2]:
		return 2
	case receiptProtocols[1]:
		return 1
	}
	return 0
}

func (r *receipt) flagsOf(ex *exchange) (f receiptFlags) {
	if ex.peer.listener.Plain {
		f |= receiptPlain
	}
	if ex.guarded {
		f |= receiptAsked
	}
	if ex.relayed {
		f |= receiptRelayed
	}
	switch v := &ex.verdict; {
	case v.Action == tenancy.Redirect, v.Action == tenancy.Forward && v.Route.Redirect() != nil:
		f |= receiptRedirect
	case v.Action == tenancy.Refuse && ex.table != 0:
		f |= receiptByTable
	}
	if !ex.client.IsValid() {
		f |= receiptUnknownClient
	}
	return f
}

// textWriter appends texts to a receipt, which are given in their order.
type textWriter struct {
	r  *receipt
	at int
}

func (w *textWriter) string(i int, s string, most int) {
	if s != "" {
		w.wrote(i, copy(w.r.text[w.at:min(w.at+most, receiptText)], s))
	}
}

func (w *textWriter) bytes(i int, s []byte, most int) {
	if len(s) > 0 {
		w.wrote(i, copy(w.r.text[w.at:min(w.at+most, receiptText)], s))
	}
}

// address appends the address to a backend's name.
func (w *textWriter) address(i int, a netip.Addr) {
	var room [48]byte // the longest address has 39 characters
	w.bytes(i, append(a.AppendTo(append(room[:0], " ("...)), ')'), len(room))
}

func (w *textWriter) wrote(i, n int) {
	w.r.lengths[i] += uint16(n)
	w.at += n
}

// read returns what is kept. The caller holds mu.
func (r *receipt) read() Receipt {
	out := Receipt{
		Ref: string(r.ref[:]), Started: time.Unix(0, r.started), Table: r.table,
		Listener: r.textAt(textListener), Plain: r.flags&receiptPlain != 0, SNI: r.textAt(textSNI),
		Protocol: receiptProtocols[r.proto], Method: r.textAt(textMethod), Host: r.textAt(textHost),
		Path: r.textAt(textPath), PathCut: r.flags&receiptPathCut != 0, Tenant: r.textAt(textTenant),
		Status: int(r.status), Relayed: r.flags&receiptRelayed != 0, Reason: r.reason, Redirect: r.flags&receiptRedirect != 0, ByTable: r.flags&receiptByTable != 0,
		Detail: r.textAt(textDetail), Level: r.textAt(textLevel), Limit: r.textAt(textLimit),
		Asked: r.flags&receiptAsked != 0, BytesIn: r.bytesIn, BytesOut: r.bytesOut,
		Took: r.took, Queued: r.queued, Connect: r.connect, Vouching: r.vouching,
	}
	if r.flags&receiptUnknownClient == 0 {
		out.Client = netip.AddrFrom16(r.client).Unmap()
	}
	if out.SNI == "" && !out.Plain {
		out.SNI = out.Host
	}
	for i, t := range r.tries {
		backend := r.textAt(textBackend + i)
		if backend == "" {
			break
		}
		try := Try{Backend: backend, Took: t.took, Outcome: tryWords[t.end], Answered: t.end == tryAnswered}
		if t.number != 0 {
			try.Outcome += ": " + syscall.Errno(t.number).Error()
		}
		out.Tries = append(out.Tries, try)
	}
	return out
}

func (r *receipt) textAt(i int) string {
	start := 0
	for _, n := range r.lengths[:i] {
		start += int(n)
	}
	return string(r.text[start:][:r.lengths[i]])
}

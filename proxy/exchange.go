package proxy

import (
	"net/http"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gatehouse/internal/compress"
	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// refBytes is the length of a ref: 80 random bits in base32. Two of a billion
// requests share one with a probability below 1 in a million.
const refBytes = 16

// exchange is one request and its answer, whatever protocol carries it. Whoever
// receives the request takes one from takeExchange, fills in the first two
// blocks, calls serveExchange and gives it back with giveExchange.
// Its slices are views into buffers that stay untouched until then.
type exchange struct {
	// The client and how to reach it.
	s      *Server
	peer   *peer
	client netip.Addr // the peer's; judge replaces it on an x_forwarded_for listener
	watch  *watch
	body   requestBody
	down   downstream

	// The request. fields are all fields as received; head is nil for HTTP/2.
	method    []byte
	authority []byte // the one Host or :authority, as received
	path      []byte // of the target, byte for byte, up to the first '?'
	query     []byte // behind it
	hasQuery  bool   // there is a '?'
	fields    []http1.Field
	head      *http1.RequestHead
	framing   http1.Framing // of the body: NoBody, ContentLength or Chunked (also: unknown length)
	proto     string        // "HTTP/1.1", "HTTP/1.0" or "HTTP/2.0"
	expects   bool          // Expect: 100-continue, and a body follows
	websocket bool          // a valid request to switch to websocket
	trailers  bool          // TE: trailers
	heard     hearing       // what became of it before it was read

	// The ceilings that it is below, and what it holds of each.
	bounds []bound
	held   [tenancy.CeilingsMax]held
	paced  bool // one of them bounds the bandwidth

	// What it holds of the means, and of which party's; nil for nothing.
	party      *party
	memory     atomic.Int64
	goroutines int
	window     int

	// What became of it; finish reads these.
	ref       [refBytes]byte
	verdict   tenancy.Verdict
	table     uint64 // the generation that it was judged by, 0 for none
	detail    string // of the reason, in words that hold no byte of the message; "" for none
	level     string // what refused by a limit, and which limit it was
	limit     string
	run       *running       // of the tenant, nil before it is known
	started   time.Time      // when the head was complete, or would have been without the wait for its turn
	status    int            // what the client got, 0 when nothing; 499 when it had gone
	reason    tenancy.Reason // NoReason unless refused, failed or ended early
	backend   string         // address of the backend that was tried last, "" for none
	canary    bool           // of the canary
	mirrored  bool           // a copy of it was sent
	address   netip.Addr     // which of the addresses of its name
	attempts  int            // connections to backends that were tried
	queued    time.Duration  // spent on waiting for its turn
	asked     time.Duration  // spent on asking auth services
	connected time.Duration  // spent on dialling
	firstByte time.Duration  // from started to the final head of the backend, 0 when none came
	tries     tries          // of backends
	bytesIn   atomic.Int64   // bytes of the request's body that were read
	bytesOut  int64          // bytes of the answer's body that were handed to downstream

	// idle is the time between two bytes of either body on the client's side,
	// limits what else the exchange is held to: the route's once it is known.
	idle      time.Duration
	limits    *tenancy.Limits
	phrase    []byte        // the backend's reason phrase, nil for our own answers
	challenge string        // of a 401
	retry     time.Duration // after which a refused client may come again; 0 for the usual
	dealt     int           // the bucket of a client that had none, and one more; 0 for none
	guarded   bool          // a password was asked for: Authorization is not forwarded
	vouched   []http1.Field // what auth services say to the backend
	cookies   []http1.Field // and those that they set
	relayed   bool          // a backend's answer went out, or began to
	panicked  bool
	work      *workspace

	coding compress.Coding // of the answer's body, if that was done here
}

// downstream is how an answer leaves. Its methods are called from one
// goroutine; after an error nothing but abort is called. Field slices are read
// before the method returns.
type downstream interface {
	// interim sends a 1xx answer other than 101 at once. A protocol that has
	// none drops it.
	interim(status int, fields []http1.Field) error
	// head begins the final answer. It may be held back until flush, end, or
	// more body than fits beside it. fields hold no framing; with ContentLength
	// the body has length bytes, with NoBody there is none, otherwise its end
	// is told by end.
	head(status int, fields []http1.Field, framing http1.Framing, length int64) error
	// write sends a piece of the body, or holds it back like head does.
	write(p []byte) error
	// flush sends what is held back.
	flush() error
	// canTrailers reports, after head, whether trailers reach the client.
	canTrailers() bool
	// end completes the answer, with trailers if there are any and they can be
	// sent, and flushes.
	end(trailers []http1.Field) error
	// abort ends the answer so that the client sees that it is cut.
	abort()
}

// requestBody is the body of a request, read piece by piece by one goroutine at
// a time.
type requestBody interface {
	// next reads a piece into buf and returns its length: more than 0, or 0
	// with an error. io.EOF is the end of the body; *http1.Error says that it
	// is malformed; anything else that the client has gone or did not send in
	// time.
	next(buf []byte) (int, error)
	// length returns the announced length, however much was read; 0 for no
	// body, -1 when unknown.
	length() int64
	// trailers returns the trailers after io.EOF.
	trailers() []http1.Field
	// ended reports whether the whole body has been read, and the next request
	// can be. It may be asked at any time.
	ended() bool
	// stop makes a next that waits in another goroutine return, and those to
	// come, with any error. Nothing more is read, and the body does not end.
	stop()
}

// serveExchange answers one request: it has the table judge it, forwards it or
// refuses it. When it returns, the answer is out or cut, and the exchange is
// counted and logged. A fault of ours ends this request alone.
func (s *Server) serveExchange(ex *exchange) {
	ex.begin()
	defer s.conclude(ex)
	s.judge(ex)
	if !s.takeTurn(ex) {
		return
	}
	if ex.verdict.Action != tenancy.Forward {
		ex.retry = s.retryOf(&ex.verdict)
		s.refuse(ex, ex.verdict.Status, ex.verdict.Reason)
		return
	}
	ex.bound()
	if s.admitClient(ex) && s.takeMeans(ex) && s.authenticate(ex) && s.askServices(ex) && s.admitRequest(ex) && !s.redirect(ex) {
		ex.work.trip.run(ex)
	}
}

// answer begins the final answer.
func (ex *exchange) answer(status int, fields []http1.Field, framing http1.Framing, length int64) error {
	ex.watch.pace.answer()
	return ex.down.head(status, fields, framing, length)
}

// What may be wrong with a head beside the rules for it.
var (
	errHead     = &http1.Error{Status: http.StatusBadRequest, Text: "the head is malformed"}
	errHeadTime = &http1.Error{Status: http.StatusRequestTimeout, Text: "the head did not come in time"}
	errHeadRoom = &http1.Error{Status: http.StatusServiceUnavailable, Text: "the tenant has its part of the gateway's memory"}
)

// refuseHead answers a request whose head is refused by the protocol.
func (s *Server) refuseHead(ex *exchange, refusal *http1.Error, reason tenancy.Reason) {
	ex.begin()
	defer s.conclude(ex)
	ex.detail = refusal.Text
	s.refuse(ex, refusal.Status, reason)
}

func (ex *exchange) begin() {
	ex.started = time.Now().Add(-ex.heard.waited)
	ex.idle, ex.limits = ex.peer.timeouts.Idle, ex.peer.limits
	ex.watch.pace.begin(&ex.limits.MinRate)
	ex.mintRef()
}

// conclude contains a fault of ours, and finishes the exchange.
func (s *Server) conclude(ex *exchange) {
	if fault := recover(); fault != nil {
		ex.panicked = true
		s.metrics.Panicked()
		s.log.Error("a request met a fault of the gateway; ended it",
			"ref", string(ex.ref[:]), "fault", fault, "stack", string(debug.Stack()))
		ex.work.trip.drop()
		s.refuseAfterFault(ex)
	}
	s.finish(ex)
}

// refuseAfterFault says 500 if it still can.
func (s *Server) refuseAfterFault(ex *exchange) {
	defer func() {
		if recover() != nil {
			ex.down.abort()
		}
	}()
	s.refuse(ex, http.StatusInternalServerError, tenancy.Internal)
}

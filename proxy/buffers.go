package proxy

import (
	"crypto/rand"
	"sync"

	"gatehouse/internal/http1"
	"gatehouse/internal/wire"
)

const (
	// headRoom is the size of the buffers that every request in progress has: a
	// head with its cookies, or an answer of one TLS record (RFC 8446 5.1:
	// 2^14 bytes), so that head and small body are one record and one write.
	headRoom = 16 << 10
	// copyRoom is the size of the buffers that bodies are copied through, and
	// of the largest head. Measured: 64 KiB copies cost as little CPU as nginx's,
	// 16 KiB copies a tenth more.
	copyRoom = 64 << 10
	// madeRoom is what the values usually need that are made for an answer: a
	// date, HSTS, a few fields that the operator sets.
	madeRoom = 512
	// refsAhead is how many refs are drawn from the system's random source at a
	// time.
	refsAhead = 32
	// refAlphabet has 32 letters, so that 5 bits choose one without bias, and
	// none that is read as another.
	refAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
)

// buffers are the memory that requests in progress take, and give back as soon
// as their connection is idle. The zero value is ready.
type buffers struct {
	workspaces sync.Pool // of *workspace
	readers    sync.Pool // of *requestReader
	heads      sync.Pool // of *headBuffer
	hellos     sync.Pool // of *helloBuffer
	copies     sync.Pool // of *copyBuffer
}

// headBuffer is a small buffer. Workspaces and readers keep theirs; only those
// of a tunnel, which may last for days, are given back on their own.
type headBuffer [headRoom]byte

func (b *buffers) takeHead() *headBuffer {
	if h, ok := b.heads.Get().(*headBuffer); ok {
		return h
	}
	return new(headBuffer)
}

// helloBuffer is for what a client says first.
type helloBuffer [wire.HelloBytesMax]byte

func (b *buffers) takeHello() *helloBuffer {
	if h, ok := b.hellos.Get().(*helloBuffer); ok {
		return h
	}
	return new(helloBuffer)
}

// copyBuffer is a large buffer.
type copyBuffer [copyRoom]byte

func (b *buffers) takeCopy() *copyBuffer {
	if c, ok := b.copies.Get().(*copyBuffer); ok {
		return c
	}
	return new(copyBuffer)
}

// giveCopy takes nil as well.
func (b *buffers) giveCopy(c *copyBuffer) {
	if c != nil {
		b.copies.Put(c)
	}
}

// workspace is what one exchange takes, whatever protocol carries it.
type workspace struct {
	exchange exchange
	trip     trip
	answer   http1.ResponseHead
	chunks   http1.ChunkDecoder // takes the coding off the answer's body
	fields   []http1.Field      // of the answer, as the client gets them
	made     []byte             // holds the values in fields that are made here
	out      *headBuffer        // the request head to the backend, then the answer to the client
	in       *headBuffer        // from the backend
	random   [refsAhead * refBytes]byte
	refsLeft int
}

// takeExchange returns an empty exchange.
func (s *Server) takeExchange() *exchange {
	w, ok := s.buffers.workspaces.Get().(*workspace)
	if !ok {
		w = &workspace{made: make([]byte, 0, madeRoom)}
	}
	if w.out == nil {
		w.out, w.in = s.buffers.takeHead(), s.buffers.takeHead()
	}
	ex := &w.exchange
	ex.s, ex.work = s, w
	return ex
}

// giveExchange takes back an exchange that is over; no slice of it may be used
// any more. One that ended in a panic is left to the garbage collector: nobody
// knows who else holds a part of it.
func (s *Server) giveExchange(ex *exchange) {
	w := ex.work
	if ex.panicked {
		return
	}
	w.exchange = exchange{}
	w.trip = trip{}
	w.answer.Reset()
	w.chunks.Reset(http1.Limits{})
	clear(w.fields)
	w.fields, w.made = w.fields[:0], w.made[:0]
	s.buffers.workspaces.Put(w)
}

// mintRef gives the exchange its ref. Refs are drawn in bulk, because the
// random source costs a system call on some kernels.
func (ex *exchange) mintRef() {
	w := ex.work
	if w.refsLeft == 0 {
		rand.Read(w.random[:]) // it never returns an error
		w.refsLeft = refsAhead
	}
	w.refsLeft--
	drawn := w.random[w.refsLeft*refBytes:][:refBytes]
	for i, b := range drawn {
		ex.ref[i] = refAlphabet[b%byte(len(refAlphabet))]
	}
	clear(drawn)
}

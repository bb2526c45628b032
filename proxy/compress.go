package proxy

import (
	"errors"
	"os"
	"time"

	"gatehouse/internal/compress"
	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
)

const (
	// encoderPrice is what an encoder holds, measured and rounded up.
	encoderPrice = 1152 << 10
	// encodersMax is how many answers may be compressed at a time: 288 MiB, for
	// requests are not to go without memory so that answers are short. Those of a slow client count as
	// long as it takes its answer, so no tenant gets all of them; an answer for
	// which there is none goes out as it came.
	encodersMax = 256
	// encodeCost is what each byte costs a processor, about 40 MB in a second.
	encodeCost = 25 * time.Nanosecond
	// flushAfter is how long a backend may pause before what it has said goes
	// out: shorter than anybody notices, and longer than the pieces of one page
	// are apart. Each time costs some bytes and a part of what is gained.
	flushAfter = 10 * time.Millisecond
)

// encoding is what all tenants have to compress answers with.
type encoding struct {
	encoders compress.Encoders
	places   *limit.Share // of encoders in use
}

func (e *encoding) init() {
	e.places = limit.NewShare(encodersMax)
}

// coded is the coding of an answer's body.
type coded struct {
	encoder *compress.Encoder // nil: the body goes out as it comes
	busy    bool              // it computes, or met a fault when it did
	in, out int64
}

// compress decides about the coding of the final answer, and returns its fields
// and its framing then. An answer to HEAD says what that to GET would, and one
// of 304 what is known by what the client has.
func (t *trip) compress(rules *compress.Rules) ([]http1.Field, http1.Framing) {
	ex, w := t.ex, t.ex.work
	framing := w.answer.Framing
	if w.answer.Status == statusNotModified {
		w.fields, w.made = rules.NotModified(w.fields, ex.fields, w.made)
	}
	if !rules.Fits(w.answer.Status, w.fields, ex.announcedLength()) {
		return w.fields, framing
	}
	w.fields, w.made = compress.Vary(w.fields, w.made)
	coding := rules.Choose(ex.fields, !ex.verdict.Host.AdmitsEverybody(ex.verdict.Route))
	if coding == compress.Identity || ex.proto == "HTTP/1.0" {
		// HTTP/1.0 could tell the end of a body of unknown length by the end of
		// the connection alone.
		return w.fields, framing
	}
	if framing != http1.NoBody {
		if !t.takeEncoder(coding) {
			return w.fields, framing
		}
		framing = http1.Chunked
	}
	w.fields, w.made = coding.Rewrite(w.fields, w.made)
	return w.fields, framing
}

// statusNotModified is that of an answer that stands for one the client has.
const statusNotModified = 304

// announcedLength is how long the answer's body says that it is, -1 if it does
// not; of an answer to HEAD, that to GET.
func (ex *exchange) announcedLength() int64 {
	w := ex.work
	switch w.answer.Framing {
	case http1.ContentLength:
		return w.answer.ContentLength
	case http1.NoBody:
		for i := range w.fields {
			if http1.EqualFold(w.fields[i].Name, "content-length") {
				return decimal(w.fields[i].Value)
			}
		}
	}
	return -1
}

// decimal reads what has been judged to be a number that fits.
func decimal(text []byte) (n int64) {
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	return n
}

// takeEncoder takes an encoder for the answer's body, if there is one for the
// tenant.
func (t *trip) takeEncoder(coding compress.Coding) bool {
	ex := t.ex
	places, mine := ex.s.encoding.places, &ex.run.party.encoders
	if !places.Take(mine, 1, ex.verdict.Tenant.Weight()) {
		ex.run.metrics.CompressionDeclined()
		return false
	}
	if !ex.hold(encoderPrice) {
		places.Give(mine, 1)
		ex.run.metrics.CompressionDeclined()
		return false
	}
	t.coded = coded{encoder: ex.s.encoding.encoders.Take(coding)}
	ex.coding = coding
	return true
}

// dropEncoder gives the encoder back. One that met a fault is left to the garbage
// collector.
func (t *trip) dropEncoder() {
	x := t.coded.encoder
	if x == nil {
		return
	}
	t.coded.encoder = nil
	ex := t.ex
	ex.run.metrics.Compressed(uint8(x.Coding()), t.coded.in, t.coded.out)
	ex.s.encoding.places.Give(&ex.run.party.encoders, 1)
	ex.drop(encoderPrice)
	if !t.coded.busy {
		ex.s.encoding.encoders.Give(x)
	}
}

// encode codes a piece of the body when it is the tenant's turn to compute, and
// hands on what comes of it.
func (t *trip) encode(piece []byte) error {
	if !t.ex.owe(&t.toll, time.Duration(len(piece))*encodeCost, nil) {
		return errClient
	}
	t.coded.in += int64(len(piece))
	return t.deliverCoded(func(x *compress.Encoder) ([]byte, error) { return x.Encode(piece) })
}

// endEncoding brings the body to its end, if it is coded.
func (t *trip) endEncoding() error {
	if t.coded.encoder == nil {
		return nil
	}
	err := t.deliverCoded((*compress.Encoder).End)
	t.dropEncoder()
	return err
}

// deliverCoded has the encoder do something, and hands on what it brings out.
func (t *trip) deliverCoded(do func(*compress.Encoder) ([]byte, error)) error {
	t.coded.busy = true
	out, err := do(t.coded.encoder)
	if err != nil {
		panic(err) // a fault of the encoder: it writes to memory
	}
	t.coded.busy = false
	t.coded.out += int64(len(out))
	if len(out) == 0 {
		return nil
	}
	return t.deliver(out)
}

// readPiece reads a piece of the body. What came before, and is still in the
// encoder, goes out if the backend pauses.
func (t *trip) readPiece() (int, error) {
	if t.coded.encoder == nil {
		return t.conn.Read(t.in)
	}
	n, err := t.readPatiently(t.in, flushAfter)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || t.woken() {
		return n, err
	}
	if err := t.flushCoded(); err != nil {
		return 0, err
	}
	t.ex.watch.touch(t.times.Idle)
	return t.conn.Read(t.in)
}

// bringOut hands on what has come of an answer that breaks off, as far as the
// client takes it.
func (t *trip) bringOut() {
	if t.coded.encoder != nil {
		_ = t.flushCoded()
	}
}

// flushCoded brings out all that the backend has said so far.
func (t *trip) flushCoded() error {
	if t.coded.encoder.Pending() {
		if err := t.deliverCoded((*compress.Encoder).Flush); err != nil {
			return err
		}
	}
	if err := t.ex.down.flush(); err != nil {
		return errClient
	}
	return nil
}

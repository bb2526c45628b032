package proxy

import (
	"errors"
	"io"
)

// errClient wraps nothing: it marks an error of the client's side among those
// of a relayed body.
var errClient = errors.New("the client takes no more")

// relayLength relays a body of known length.
func (t *trip) relayLength(left int64) error {
	for left > 0 {
		if t.r == t.w {
			if err := t.readBody(left); err != nil {
				return err
			}
		}
		piece := t.in[t.r:t.w]
		if int64(len(piece)) > left {
			piece = piece[:left]
		}
		t.r += len(piece)
		left -= int64(len(piece))
		if err := t.pass(piece); err != nil {
			return err
		}
	}
	return nil
}

// relayChunks takes the coding off, and leaves it to downstream to put its own
// on.
func (t *trip) relayChunks() error {
	chunks := &t.ex.work.chunks
	chunks.Reset(t.ex.limits.Answer)
	for {
		data, n, done, err := chunks.Next(t.in[t.r:t.w])
		if err != nil {
			return err
		}
		t.r += n
		if len(data) > 0 {
			if err := t.pass(data); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
		if t.r == t.w {
			if err := t.readBody(copyRoom); err != nil {
				return err
			}
		}
	}
}

// relayUntilClose relays a body that ends with the connection. Over TLS only a
// close_notify is such an end: crypto/tls reports anything else as
// io.ErrUnexpectedEOF.
func (t *trip) relayUntilClose() error {
	for {
		if t.r < t.w {
			if err := t.pass(t.in[t.r:t.w]); err != nil {
				return err
			}
			t.r = t.w
		}
		if err := t.readBody(copyRoom); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// pass hands a piece of the body to the client, coded if the body is.
func (t *trip) pass(piece []byte) error {
	if t.coded.encoder != nil {
		return t.encode(piece)
	}
	return t.deliver(piece)
}

// deliver hands bytes of the answer to the client.
func (t *trip) deliver(piece []byte) error {
	if !t.ex.pay(&t.toll, len(piece), nil) {
		return errClient
	}
	if err := t.ex.down.write(piece); err != nil {
		return errClient
	}
	t.ex.bytesOut += int64(len(piece))
	if t.ex.paced && !t.ex.keepPace(len(piece), t.ex.down.flush) {
		return errClient
	}
	return nil
}

// readBody reads more of a body, of which about left bytes are to come. What
// was read before goes out first: events and slow pages are not held back to
// fill a buffer.
func (t *trip) readBody(left int64) error {
	if t.coded.encoder == nil {
		if err := t.ex.down.flush(); err != nil {
			return errClient
		}
	}
	if t.inCopy == nil && left > headRoom && t.w == len(t.in) && t.ex.hold(copyRoom) {
		// The last read filled the small buffer: this is a large body. Without
		// memory for more it goes on in small pieces.
		t.inCopy = t.ex.s.buffers.takeCopy()
		t.in = t.inCopy[:]
	}
	t.r, t.w = 0, 0
	t.ex.watch.touch(t.times.Idle)
	n, err := t.readPiece()
	t.w = n
	if n > 0 {
		return nil
	}
	return err
}

package proxy

import (
	"io"

	"gatehouse/internal/http1"
)

// readBody reads the body of an auth service's answer, as far as there is room
// for it: a page that asks to sign in. It reports whether that is all of it, and
// nothing behind it.
func (a *asking) readBody(from io.Reader) (whole bool) {
	w := a.ex.work
	raw := w.in[a.r:a.w]
	if w.answer.Framing == http1.NoBody || w.answer.ContentLength == 0 {
		return len(raw) == 0
	}
	if w.answer.ContentLength > copyRoom {
		return false
	}
	if !a.takeBody() {
		return false
	}
	w.chunks.Reset(http1.DefaultLimits())
	for {
		n, done, ok := a.piece(raw)
		switch raw = raw[n:]; {
		case !ok:
			return false
		case done:
			return len(raw) == 0
		case len(raw) > 0:
			continue
		}
		// The question has been sent, so its memory is free. The head's is not:
		// its fields are looked at yet.
		n, err := from.Read(w.out[:])
		if n == 0 {
			return err == io.EOF && w.answer.Framing == http1.UntilClose
		}
		raw = w.out[:n]
	}
}

// takeBody takes room for a body, and reports false where the tenant has its part
// of the memory.
func (a *asking) takeBody() bool {
	if a.body == nil && a.ex.hold(copyRoom) {
		a.body = a.ex.s.buffers.takeCopy()
	}
	return a.body != nil
}

// giveBody gives it back.
func (a *asking) giveBody() {
	if a.body != nil {
		a.ex.s.buffers.giveCopy(a.body)
		a.ex.drop(copyRoom)
		a.body = nil
	}
}

// piece takes the beginning of raw into the body. ok is false where it is
// malformed or finds no room.
func (a *asking) piece(raw []byte) (n int, done, ok bool) {
	head := &a.ex.work.answer
	data, n := raw, len(raw)
	switch head.Framing {
	case http1.Chunked:
		var err error
		if data, n, done, err = a.ex.work.chunks.Next(raw); err != nil {
			return n, false, false
		}
	case http1.ContentLength:
		n = int(min(int64(n), head.ContentLength-int64(a.length)))
		data = raw[:n]
		done = int64(a.length+n) == head.ContentLength
	}
	took := copy(a.body[a.length:], data)
	a.length += took
	return n, done, took == len(data)
}

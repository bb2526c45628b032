package proxy

import (
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// switcher is the way out of an answer whose connection can become a tunnel:
// that of HTTP/1.1.
type switcher interface {
	downstream
	// switchProtocols sends the 101.
	switchProtocols(fields []http1.Field) error
	// surrender hands over the connection, what the client has sent behind its
	// request, and the memory that the request and those bytes lie in.
	surrender() (client clientStream, early []byte, memory *requestReader)
}

// tunnel passes bytes both ways once the backend has switched to websocket (RFC
// 6455 1.3). Each direction ends by itself, as TCP's do; the tunnel ends when
// both have, when nothing has passed for the idle time, or when it is cut.
func (t *trip) tunnel() {
	ex := t.ex
	a, ok := ex.down.(switcher)
	if !ok {
		t.refuse(tenancy.BackendProtocol)
		return
	}
	if !ex.spawn() {
		t.refuse(tenancy.TooManyInFlight)
		return
	}
	ex.status, ex.relayed = http.StatusSwitchingProtocols, true
	ex.watch.waiting(false)
	ex.watch.unbound()
	if err := a.switchProtocols(ex.switchFields()); err != nil {
		t.clientLeft()
		return
	}
	ex.becomeSocket()
	client, early, memory := a.surrender()
	p := &pipe{ex: ex, client: client, backend: t.conn, idle: t.times.UpgradeIdle}
	p.progress()
	if !p.pass(p.backend, early, &p.toBackend) || !p.pass(p.client, t.in[t.r:t.w], &p.toClient) {
		p.sever()
	}
	ex.lighten(memory)
	p.run()
	ex.bytesIn.Add(p.toBackend.Load())
	ex.bytesOut += p.toClient.Load()
	switch {
	case ex.watch.cut():
		ex.reason = ex.watch.whyCut()
	case ex.watch.expired() || ex.watch.backendExpired():
		ex.reason = tenancy.TooSlow
	}
	a.abort()
}

// lighten gives back all buffers, because a tunnel may stay open for days. What
// the log and a change of the table need of the request is copied.
func (ex *exchange) lighten(r *requestReader) {
	ex.watch.keep()
	ex.keepOnly(tunnelPrice)
	all := slices.Concat(ex.method, ex.authority, ex.path, ex.query)
	for _, view := range []*[]byte{&ex.method, &ex.authority, &ex.path, &ex.query} {
		n := len(*view)
		*view, all = all[:n:n], all[n:]
	}
	ex.fields, ex.head = nil, nil
	b, w := &ex.s.buffers, ex.work
	b.heads.Put(w.out)
	b.heads.Put(w.in)
	b.heads.Put(r.small)
	b.giveCopy(w.trip.inCopy)
	b.giveCopy(r.large)
	b.giveCopy(r.spare)
	w.out, w.in, w.trip.in, w.trip.inCopy = nil, nil, nil, nil
	r.small, r.buf, r.large, r.spare = nil, nil, nil, nil
}

// switchFields are the fields of the 101 for the client.
func (ex *exchange) switchFields() []http1.Field {
	ex.interimFields()
	ex.addCookies()
	ex.addStanding(true)
	return ex.work.fields
}

// switchProtocols sends the 101.
func (a *http1Answer) switchProtocols(fields []http1.Field) error {
	a.out = appendSwitch(a.ex.work.out[:0], fields)
	return a.flush()
}

// appendSwitch appends the 101.
func appendSwitch(b []byte, fields []http1.Field) []byte {
	b = http1.AppendStatusLine(b, http.StatusSwitchingProtocols)
	for _, f := range fields {
		b = http1.AppendField(b, f.Name, f.Value)
	}
	return append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"...)
}

func (a *http1Answer) surrender() (client clientStream, early []byte, memory *requestReader) {
	r := a.reader
	early = r.buf[r.r:r.w]
	r.r = r.w
	return a.client.stream, early, r
}

// pipe is the two directions of a tunnel. Bytes in either direction keep both
// open.
type pipe struct {
	ex                  *exchange
	client, backend     clientStream
	idle                time.Duration
	toBackend, toClient atomic.Int64
}

// run passes bytes until both directions have ended.
func (p *pipe) run() {
	var both sync.WaitGroup
	both.Go(func() { p.copy(p.backend, p.client, &p.toBackend) })
	p.copy(p.client, p.backend, &p.toClient)
	both.Wait()
}

// tunnelRoom is what each direction of an open tunnel holds while nothing
// comes. Most WebSocket messages fit; larger bursts borrow a large buffer.
const tunnelRoom = 2 << 10

// copy is one direction. Unless it ends in order, so does the other one.
func (p *pipe) copy(to, from clientStream, count *atomic.Int64) {
	var owes toll
	small := make([]byte, tunnelRoom)
	buffer, large := small, (*copyBuffer)(nil)
	defer func() { p.giveLarge(large) }()
	for {
		n, err := from.Read(buffer)
		if n > 0 && !(p.ex.pay(&owes, n, nil) && p.pass(to, buffer[:n], count)) {
			p.sever()
			return
		}
		switch {
		case err == io.EOF && to.CloseWrite() == nil:
			return
		case err != nil:
			p.sever()
			return
		case n == tunnelRoom && large == nil:
			if large = p.takeLarge(); large != nil {
				buffer = large[:]
			}
		case n < tunnelRoom && large != nil:
			p.giveLarge(large)
			buffer, large = small, nil
		}
	}
}

// takeLarge returns a large buffer, nil where the tenant has its part of the
// memory: a burst goes on in small pieces then.
func (p *pipe) takeLarge() *copyBuffer {
	if !p.ex.hold(copyRoom) {
		return nil
	}
	return p.ex.s.buffers.takeCopy()
}

// giveLarge takes nil as well.
func (p *pipe) giveLarge(large *copyBuffer) {
	if large != nil {
		p.ex.s.buffers.giveCopy(large)
		p.ex.drop(copyRoom)
	}
}

// pass writes a piece, and gives both sides the idle time anew.
func (p *pipe) pass(to net.Conn, b []byte, count *atomic.Int64) bool {
	if len(b) == 0 {
		return true
	}
	p.progress()
	n, err := to.Write(b)
	count.Add(int64(n))
	if p.ex.paced && to == p.client && err == nil {
		return p.ex.keepPace(n, nothingHeld)
	}
	return err == nil
}

func (p *pipe) progress() {
	p.ex.watch.arm(p.idle)
	p.ex.watch.touch(p.idle)
}

// sever ends both directions.
func (p *pipe) sever() {
	_ = p.ex.watch.conn.Conn.SetDeadline(past)
	_ = p.backend.SetDeadline(past)
}

package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// requestCopy is the copy of a request on its way to a mirror. It shares nothing
// with the exchange that it is a copy of.
type requestCopy struct {
	mirror     *mirror
	party      *party // who pays for it
	times      tenancy.Timeouts
	limits     http1.Limits
	method     string
	idempotent bool
	round      pool.Round
	member     *pool.Member
	buffer     *copyBuffer
	request    []byte // in buffer, where the answer comes later

	head   http1.ResponseHead
	chunks http1.ChunkDecoder
	r, w   int // buffer[r:w] is of the answer, and not dealt with
	spoke  bool
}

// drop gives back what the copy holds.
func (c *requestCopy) drop() {
	c.round.Release()
	c.mirror.server.buffers.giveCopy(c.buffer)
	c.mirror.server.means.giveAll(c.party, copyPrice)
	c.mirror.leave()
}

// run is the copy's goroutine.
func (c *requestCopy) run() {
	s := c.mirror.server
	defer s.copies.open.done()
	defer c.drop()
	defer c.contain()
	ctx, cancel := context.WithTimeout(s.copies.ctx, mirrorTimeMax)
	defer cancel()
	if err := c.send(ctx); err != nil {
		c.mirror.metrics.Mirrored(metrics.MirrorFailed)
		if s.copies.ctx.Err() == nil && c.member.Tell(time.Now()) {
			s.log.Warn("a copy of a request failed; nobody waits for it", "pool", c.mirror.pool.Name(), "backend", c.member.Backend().Address(), "error", err)
		}
		return
	}
	c.mirror.metrics.Mirrored(metrics.MirrorAnswered)
}

func (c *requestCopy) contain() {
	if fault := recover(); fault != nil {
		s := c.mirror.server
		s.metrics.Panicked()
		s.log.Error("a copy of a request met a fault of the gateway; ended it", "fault", fault, "stack", string(debug.Stack()))
		c.buffer = nil // nobody knows who holds a part of it
	}
}

// send sends the copy, on an idle connection first. One that has died before it
// said a byte is replaced once, if that can do no harm.
func (c *requestCopy) send(ctx context.Context) error {
	if conn := c.member.Reuse(); conn != nil {
		before := conn.Written()
		err := c.ask(ctx, conn)
		if err == nil || c.spoke || !c.idempotent && conn.Written() != before {
			return err
		}
	}
	conn, err := c.member.DialContext(ctx, c.times.Connect)
	if err != nil {
		if how := dialFault(err, ctx.Err() != nil); how != "" {
			c.round.Failed(time.Now(), how)
		}
		return err
	}
	err = c.ask(ctx, conn)
	if err != nil && !c.spoke && ctx.Err() == nil {
		c.round.Failed(time.Now(), "no answer")
	}
	return err
}

// ask sends the copy on a connection, and reads the answer to its end.
func (c *requestCopy) ask(ctx context.Context, conn *pool.Conn) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(past) })
	keep := false
	defer func() {
		if stop() && keep {
			conn.Keep()
		} else {
			_ = conn.Close()
		}
	}()
	if _, err := conn.Write(c.request); err != nil {
		return err
	}
	if err := c.readHead(conn); err != nil {
		return err
	}
	c.round.Answered(c.head.Status, time.Now())
	ended, err := c.discard(conn)
	keep = ended && c.head.KeepAlive && c.r == c.w
	return err
}

// readHead reads the final head of the answer.
func (c *requestCopy) readHead(conn *pool.Conn) error {
	c.r, c.w = 0, 0
	for {
		n, err := c.head.Parse(c.buffer[c.r:c.w], []byte(c.method), c.limits)
		switch {
		case err == nil && c.head.Status >= http.StatusOK:
			c.r += n
			return nil
		case err == nil && c.head.Status == http.StatusSwitchingProtocols:
			return errUnasked
		case err == nil:
			c.r += n
		case err != http1.ErrIncomplete:
			return err
		default:
			if err := c.more(conn); err != nil {
				return err
			}
		}
	}
}

// more reads what follows buffer[r:w].
func (c *requestCopy) more(conn *pool.Conn) error {
	if c.r > 0 {
		c.w = copy(c.buffer[:], c.buffer[c.r:c.w])
		c.r = 0
	}
	if c.w == len(c.buffer) {
		return errLongHead
	}
	n, err := conn.Read(c.buffer[c.w:])
	c.w += n
	if n > 0 {
		c.spoke = true
		return nil
	}
	return err
}

var errLongHead = errors.New("the head of the answer is longer than is read")

// mirrorBodyMax is how much of an answer's body is read and thrown away; then the
// connection is closed, which costs less.
const mirrorBodyMax = 1 << 20

// discard reads the body and throws it away. ended says that it was read to its
// end, which lies before buffer[r:w].
func (c *requestCopy) discard(conn *pool.Conn) (ended bool, err error) {
	left := c.head.ContentLength
	c.chunks.Reset(c.limits)
	for read := 0; read <= mirrorBodyMax; {
		switch c.head.Framing {
		case http1.Chunked:
			for c.r < c.w && !ended {
				_, n, done, err := c.chunks.Next(c.buffer[c.r:c.w])
				if err != nil {
					return false, err
				}
				c.r, ended = c.r+n, done
			}
		case http1.ContentLength, http1.NoBody:
			n := int(min(left, int64(c.w-c.r)))
			c.r += n
			left -= int64(n)
			ended = left == 0
		default:
			c.r = c.w
		}
		if ended {
			return true, nil
		}
		before := c.w - c.r
		if err := c.more(conn); err != nil {
			if err == io.EOF && c.head.Framing == http1.UntilClose {
				return false, nil
			}
			return false, err
		}
		read += c.w - c.r - before
	}
	return false, nil
}

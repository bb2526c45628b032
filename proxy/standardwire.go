package proxy

import (
	"net/http"
	"sync"

	"gatehouse/internal/http1"
)

// errStandardSeam refuses what the standard library takes for a message, or for
// the end of one, and our own parser does not.
var errStandardSeam = &http1.Error{Status: http.StatusBadRequest, Text: "two parsers disagree about where a message ends"}

// wireCheck reads along with the standard library and judges the very bytes by
// our own parser. The library mends much that must be refused, a length beside
// a coding for one, and shows nothing of it afterwards. It never sees a byte
// that is refused here.
type wireCheck struct {
	limits   http1.Limits
	mu       sync.Mutex
	at       wirePlace
	head     http1.RequestHead
	begun    []byte // of a head that has not ended
	doubtful []byte // what came behind a request for a tunnel
	chunks   http1.ChunkDecoder
	left     int64 // of a body of known length
	passed   int64 // data of the chunks so far
	given    int64 // to the handler
	accepted int   // heads
	served   int   // requests that have a handler, or had
	resting  bool  // none has one
	refused  *http1.Error
}

// wirePlace is what the next byte belongs to.
type wirePlace uint8

const (
	inHead wirePlace = iota
	inLength
	inChunks
	inDoubt // to a tunnel if there is to be one, else to a head
)

// follow takes in what was read. It returns how much of it the library may see:
// nothing that is refused, and nothing in doubt.
func (c *wireCheck) follow(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(p)
	for len(p) > 0 && c.refused == nil {
		switch c.at {
		case inHead:
			p = c.takeHead(p)
		case inLength:
			taken := min(int64(len(p)), c.left)
			p = p[taken:]
			if c.left -= taken; c.left == 0 {
				c.at = inHead
			}
		case inChunks:
			p = c.takeChunk(p)
		case inDoubt:
			// No more than the library's buffer has room for.
			c.doubtful = append(c.doubtful, p...)
			return n - len(p)
		}
	}
	return n - len(p)
}

// again reads what was in doubt, now that it is not.
func (c *wireCheck) again(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == inDoubt {
		return 0
	}
	n := copy(p, c.doubtful)
	c.doubtful = c.doubtful[n:]
	return n
}

// tunnelled returns what came behind a request that has become a tunnel.
func (c *wireCheck) tunnelled() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubtful
}

// takeHead takes what p has of a head, and returns what stands behind it: all of
// p where that is refused.
func (c *wireCheck) takeHead(p []byte) []byte {
	text := p
	if len(c.begun) > 0 {
		c.begun = append(c.begun, p...)
		text = c.begun
	}
	n, err := c.head.Parse(text, c.limits)
	if err == http1.ErrIncomplete {
		if len(c.begun) == 0 {
			c.begun = append(c.begun, p...)
		}
		return nil
	}
	c.begun = nil
	if err != nil {
		c.refuse(err)
		return p
	}
	c.accepted++
	switch {
	case c.head.WebSocket:
		c.at = inDoubt
	case c.head.Framing == http1.Chunked:
		c.at, c.passed = inChunks, 0
		c.chunks.Reset(c.limits)
	case c.head.HasBody():
		c.at, c.left = inLength, c.head.ContentLength
	}
	c.head.Reset()
	return p[len(p)-(len(text)-n):]
}

func (c *wireCheck) takeChunk(p []byte) []byte {
	data, n, done, err := c.chunks.Next(p)
	c.passed += int64(len(data))
	switch {
	case err != nil:
		c.refuse(err)
	case done:
		c.at = inHead
	}
	return p[n:]
}

// refuse ends the reading: nobody knows where the next message begins.
func (c *wireCheck) refuse(err error) {
	c.refused = errStandardHead
	if refused, ok := err.(*http1.Error); ok {
		c.refused = refused
	}
}

// rest says that no handler has a request: what came behind one that asked for
// a tunnel is a head.
func (c *wireCheck) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resting = true
	if c.at == inDoubt {
		c.at = inHead
	}
}

// begin says that the library has given a request to a handler. It returns why
// that is refused, nil if it is not.
func (c *wireCheck) begin() *http1.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served++
	c.given, c.resting = 0, false
	if c.served > c.accepted {
		return errStandardSeam
	}
	return nil
}

// pending reports whether a good head waits for its handler.
func (c *wireCheck) pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served < c.accepted
}

// ended reports whether nothing more is to be read.
func (c *wireCheck) ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused != nil
}

// next returns why the head is refused that the library reads now, nil if it is
// not.
func (c *wireCheck) next() *http1.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.served < c.accepted || !c.resting {
		return nil
	}
	return c.refused
}

// begins reports whether the head has begun that the library reads now.
func (c *wireCheck) begins() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.served == c.accepted && c.at == inHead && len(c.begun) > 0
}

// inBody reports whether the body of the last good head goes on.
func (c *wireCheck) inBody() bool { return c.at == inLength || c.at == inChunks }

// body judges a piece of n bytes of the body that a handler reads; ended says
// that the library has seen the end. It returns how much of the piece holds, and
// if that is nothing why the body is refused.
func (c *wireCheck) body(n int, ended bool) (int, *http1.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	refused := c.refused
	switch {
	case c.served < c.accepted || !c.inBody():
		return n, nil
	case refused == nil && ended:
		refused = errStandardSeam
	case refused == nil:
		c.given += int64(n)
		return n, nil
	}
	if n = int(min(int64(n), c.passed-c.given)); n > 0 {
		c.given += int64(n)
		return n, nil
	}
	return 0, refused
}

package pool

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gatehouse/internal/http1"
)

const (
	// checkHeadMax is what the head of an answer to a check may take.
	checkHeadMax = 16 << 10
	// checkBytesMax bounds what is read of an answer: what a check looks for
	// stands at its beginning.
	checkBytesMax = 64 << 10
)

// check asks the member by the rule, on a connection of its own, and says what
// is wrong with the answer.
func (m *Member) check(ctx context.Context, h *Health) error {
	deadline := time.Now().Add(h.Timeout)
	c, err := m.dial(ctx, cmp.Or(h.Port, m.backend.port), deadline)
	if err != nil {
		var failed *DialError
		if errors.As(err, &failed) {
			err = failed.Err // the rest is known to whoever reads this
		}
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if ctx.Err() == nil {
		_ = c.SetDeadline(deadline)
	}
	if _, err := c.Write(m.checkRequest(h)); err != nil {
		return err
	}
	return h.judge(c)
}

func (m *Member) checkRequest(h *Health) []byte {
	host := h.Host
	if host == "" {
		host = m.backend.hostField
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: gatehouse-health\r\nConnection: close\r\n\r\n", h.Path, host)
}

// judge reads an answer and says what is wrong with it.
func (h *Health) judge(from io.Reader) error {
	a := answer{from: io.LimitReader(from, checkBytesMax)}
	limits := http1.DefaultLimits()
	limits.HeadBytes = checkHeadMax
	for {
		n, err := a.head.Parse(a.text, []byte("GET"), limits)
		if err == http1.ErrIncomplete {
			if err = a.more(); err == nil {
				continue
			}
			return fmt.Errorf("no answer: %w", err)
		}
		if err != nil {
			return fmt.Errorf("the answer is malformed: %w", err)
		}
		a.text = a.text[n:]
		if a.head.Status >= 200 {
			break
		}
	}
	if !h.good.has(a.head.Status) {
		return fmt.Errorf("answered %d", a.head.Status)
	}
	if h.Body == "" {
		return nil
	}
	return a.find([]byte(h.Body), limits)
}

// answer is the answer to a check as it is read.
type answer struct {
	from io.Reader
	head http1.ResponseHead
	text []byte // read and not dealt with
}

// more reads a piece.
func (a *answer) more() error {
	var piece [4 << 10]byte
	n, err := a.from.Read(piece[:])
	a.text = append(a.text, piece[:n]...)
	if n > 0 {
		return nil
	}
	return err
}

// find looks for text in the body, as far as that is read.
func (a *answer) find(text []byte, limits http1.Limits) error {
	var body []byte
	var chunks http1.ChunkDecoder
	chunks.Reset(limits)
	for ended := a.head.Framing == http1.NoBody; !ended; {
		switch a.head.Framing {
		case http1.Chunked:
			for len(a.text) > 0 && !ended {
				data, n, done, err := chunks.Next(a.text)
				if err != nil {
					return fmt.Errorf("the answer is malformed: %w", err)
				}
				body, a.text, ended = append(body, data...), a.text[n:], done
			}
		default:
			body, a.text = append(body, a.text...), nil
			ended = a.head.Framing == http1.ContentLength && int64(len(body)) >= a.head.ContentLength
		}
		if bytes.Contains(body, text) {
			return nil
		}
		if !ended && a.more() != nil {
			break
		}
	}
	return fmt.Errorf("the first %d bytes of the body do not have %q", len(body), text)
}

// observe notes what a check by the rule came to.
func (m *Member) observe(h *Health, fault error, now time.Time) {
	c := &m.condition
	c.mu.Lock()
	if c.rule != *h {
		c.mu.Unlock()
		return // the table has another one by now
	}
	first := !c.seen
	c.seen = true
	if c.down == (fault != nil) {
		c.contrary = 0
		if fault != nil {
			c.downWhy = checkText(fault)
		}
		c.mu.Unlock()
		return
	}
	c.contrary++
	turns := c.contrary >= h.Fall
	if c.down {
		turns = c.contrary >= h.Rise || first
	}
	told := Transition{Backend: m.backend, To: Up, Why: "its check succeeds"}
	told.Address, _ = m.Address()
	if turns {
		c.down, c.contrary, c.upSince = !c.down, 0, now
		if c.down {
			c.downSince, c.downWhy = now, checkText(fault)
			told.To, told.Why = Unwell, c.downWhy
		}
	}
	c.mu.Unlock()
	if turns {
		m.changed(now)
		p := m.owner.Load()
		told.Pool = p.name
		p.tell(told)
	}
}

func checkText(fault error) string { return "its check fails: " + fault.Error() }

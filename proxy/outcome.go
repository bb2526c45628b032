package proxy

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"gatehouse/internal/pool"
)

// What a pool learns from requests: that a backend has failed one as a dead
// backend does, or that it lives. Whatever may be the fault of the request, of
// its client or ours says neither: a malformed answer, a reused connection that
// broke, a client that left, an answer of 500.

// reached notes that the backend has answered.
func (t *trip) reached(status int) {
	now := t.ex.started.Add(t.ex.firstByte)
	t.faredWith(status)
	t.round.Answered(status, now)
}

// open opens a connection. Where there is leave for no more, those of the tenant's
// that are idle make room.
func (t *trip) open(m *pool.Member, limit time.Duration) (*pool.Conn, error) {
	c, err := t.ex.dial(m, limit)
	if !errors.Is(err, pool.ErrNoLeave) {
		return c, err
	}
	for _, p := range t.ex.run.distinct {
		p.CloseIdle()
	}
	return t.ex.dial(m, limit)
}

// unreached notes that a connection could not be opened within limit.
func (t *trip) unreached(err error, limit time.Duration) {
	how := dialFault(err, limit < t.times.Connect)
	if t.blameless = how == ""; !t.blameless {
		t.round.Failed(time.Now(), how)
	}
}

// dialFault says in a few words how a backend was not reached; "" where that
// says nothing about the backend: our own means were exhausted, its address is
// forbidden, or it had less time than the operator gives it.
func dialFault(err error, hurried bool) string {
	var failed *pool.DialError
	var forbidden *pool.ForbiddenError
	var number syscall.Errno
	switch {
	case !errors.As(err, &failed) || errors.As(err, &forbidden) || ownMeans(err):
		return ""
	case errors.As(err, &number):
		return errnoFault(number)
	case timedOut(err):
		if hurried {
			return ""
		}
		return "no connection in time"
	case failed.TLS:
		return "no TLS connection"
	}
	return "no connection"
}

func errnoFault(number syscall.Errno) string {
	switch number {
	case syscall.EADDRNOTAVAIL, syscall.EPERM, syscall.EACCES:
		return ""
	}
	return number.Error()
}

// ownMeans reports whether a backend was not reached because our own means, or
// this machine's, are exhausted.
func ownMeans(err error) bool {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return errors.Is(err, pool.ErrNoLeave)
	}
	switch number {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS:
		return true
	}
	return false
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

package proxy

import (
	"context"
	"time"

	"gatehouse/internal/pool"
)

// dial opens a connection to a backend. It ends when the client leaves and when
// the exchange is cut, as every wait for a backend does.
func (ex *exchange) dial(m *pool.Member, limit time.Duration) (*pool.Conn, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w := ex.watch
	w.attach(dialling(cancel), unbounded)
	w.waiting(true)
	c, err := m.DialContext(ctx, limit)
	w.waiting(false)
	w.detach()
	return c, err
}

// dialling is a connection that is being opened.
type dialling context.CancelFunc

// SetDeadline ends it, whatever the deadline: the watch sets none but past ones.
func (d dialling) SetDeadline(time.Time) error {
	d()
	return nil
}

// deserted reports whether nobody waits for an answer any more.
func (w *watch) deserted() bool { return w.cut() || w.aborted() }

package pool

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// fill writes until the kernel takes nothing more: until a whole deadline has
// passed without a byte, however long what came before has taken.
func fill(t *testing.T, r *rawConn) {
	t.Helper()
	_ = r.SetWriteBuffer(4 << 10)
	for _, size := range []int{1 << 20, 1} {
		for n := 1; n > 0; {
			_ = r.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
			n, _ = r.TCPConn.Write(make([]byte, size))
		}
	}
	_ = r.SetWriteDeadline(time.Time{})
}

// A backend that reads nothing does not hold up whoever closes its connections:
// the sweeper and reloads close those of everybody.
func TestCloseDoesNotWait(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	l, conns := listen(t)
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		server := tls.Server(<-conns, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer server.Close()
		_ = server.Handshake()
		<-stop
	}()
	c := dial(t, member(t, Options{}, BackendSpec{URL: at("https://" + l.Addr().String()), ServerName: at("app.internal"), CA: at("ca.pem")}, ca))
	fill(t, c.raw)
	began := time.Now()
	c.Close()
	// crypto/tls alone would wait for five seconds.
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A backend that listens is told that the end is one in order.
func TestCloseSaysSo(t *testing.T) {
	ca, cert := authority(t, "app.internal")
	l, conns := listen(t)
	heard := make(chan error, 1)
	go func() {
		ended := &endSeer{Conn: <-conns}
		server := tls.Server(ended, &tls.Config{Certificates: []tls.Certificate{cert}})
		_, err := server.Read(make([]byte, 1))
		if ended.seen {
			err = io.ErrUnexpectedEOF
		}
		heard <- err
		server.Close()
	}()
	c := dial(t, member(t, Options{}, BackendSpec{URL: at("https://" + l.Addr().String()), ServerName: at("app.internal"), CA: at("ca.pem")}, ca))
	c.Close()
	if err := <-heard; err != io.EOF {
		t.Errorf("the backend hears %v, want EOF", err)
	}
}

// endSeer notes whether the socket's stream has ended: crypto/tls says EOF to
// that as well as to a close_notify.
type endSeer struct {
	net.Conn
	seen bool
}

func (e *endSeer) Read(p []byte) (int, error) {
	n, err := e.Conn.Read(p)
	e.seen = e.seen || err != nil
	return n, err
}

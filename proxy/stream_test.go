package proxy

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"gatehouse/internal/http1"
)

// TestStreamThatIsLate: an upload that runs out of time in the moment in which
// its answer comes must not leave an answer without a time, which a client
// could let wait for ever.
func TestStreamThatIsLate(t *testing.T) {
	bubble(t, func(s *Server, c *conn, _ net.Conn) {
		st := &stream{conn: c, w: httptest.NewRecorder(), r: httptest.NewRequest(http.MethodPost, "/", nil), ex: &exchange{}}
		st.control = http.NewResponseController(st.w)
		st.watch.clock, st.watch.conn, st.watch.target = s.clock, c, st
		st.time.watch = &st.watch
		st.watch.arm(time.Second)
		st.watch.expireClient(st.watch.clientAt.Load())
		if err := st.head(200, nil, http1.NoBody, 0); err == nil {
			t.Error("the answer begins")
		}
	})
}

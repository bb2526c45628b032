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
		w := httptest.NewRecorder()
		st := &stream{adapted: adapted{
			conn: c, w: w, r: httptest.NewRequest(http.MethodPost, "/", nil), control: http.NewResponseController(w), ex: &exchange{},
		}}
		st.watch.clock, st.watch.conn, st.watch.target = s.clock, c, st
		st.progress.watch, st.time = &st.watch, &st.progress
		st.watch.arm(time.Second)
		st.watch.expireClient(st.watch.clientAt.Load())
		if err := st.head(200, nil, http1.NoBody, 0); err == nil {
			t.Error("the answer begins")
		}
	})
}

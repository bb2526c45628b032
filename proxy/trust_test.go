package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
)

// otherBalancer is trusted by nobody at first.
const otherBalancer = "127.0.0.101"

// trust lets the listeners believe these peers from now on.
func (w *world) trust(peers string) {
	w.t.Helper()
	w.listen = strings.ReplaceAll(w.listen, "["+balancer+"]", "["+peers+"]")
	w.apply()
}

// dialForwarded opens a connection to the x_forwarded_for listener.
func (w *world) dialForwarded(ip string) (*tls.Conn, error) {
	c, err := tls.DialWithDialer(from(ip), "tcp", w.addr("forwarded"), w.tlsConfig("a.example", "http/1.1"))
	if err == nil {
		w.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestTrustIsRevoked: a peer that a reload no longer believes is cut,
// whatever its connections are doing, and its successor is let in.
func TestTrustIsRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	arrived, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	open := make(map[string]*tls.Conn)
	for _, name := range []string{"idle", "busy"} {
		c, err := w.dialForwarded(balancer)
		if err != nil {
			t.Fatal(err)
		}
		open["forwarded, "+name] = c
		if c, err = w.throughBalancer("a.example", v2Header("192.0.2.7")); err != nil {
			t.Fatal(err)
		}
		open["proxied, "+name] = c
	}
	for _, listener := range []string{"forwarded", "proxied"} {
		request := "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
		if _, err := io.WriteString(open[listener+", busy"], request); err != nil {
			t.Fatal(err)
		}
		<-arrived
	}
	began := time.Now()
	w.trust(otherBalancer)
	for name, c := range open {
		if got := endsWithin(t, c, inTime); got != "" {
			t.Errorf("%s: the former balancer hears %q", name, got)
		}
	}
	<-ended
	<-ended
	if took := time.Since(began); took > inTime {
		t.Errorf("the backend requests ended after %v", took)
	}
	w.answerWith(nil)
	if _, err := w.dialForwarded(balancer); err == nil {
		t.Error("the former balancer shakes hands")
	}
	if _, err := w.throughBalancer("a.example", v2Header("192.0.2.7")); err == nil {
		t.Error("the former balancer is believed about a client")
	}
	c, err := w.dialForwarded(otherBalancer)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := forwarded(t, c, bufio.NewReader(c), "a.example", "192.0.2.7"); body != "acme for 192.0.2.7" {
		t.Errorf("through the new balancer: %d %q", status, body)
	}
}

// TestTrustOfStreams: the same for the streams of an HTTP/2 connection.
func TestTrustOfStreams(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	arrived, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	request, _ := http.NewRequest(http.MethodGet, "https://a.example/", nil)
	request.Header.Set("X-Forwarded-For", "192.0.2.7")
	answered := make(chan error, 1)
	client := w.client("forwarded", balancer, true)
	go func() {
		response, err := client.Do(request)
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	<-arrived
	began := time.Now()
	w.trust(otherBalancer)
	<-ended
	if err := <-answered; err == nil {
		t.Error("the former balancer gets an answer")
	}
	if took := time.Since(began); took > inTime {
		t.Errorf("it took %v", took)
	}
}

// TestTrustOfHops: whom the current table believes decides who the client of
// each request is, of those in progress too.
func TestTrustOfHops(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c, err := w.dialForwarded(balancer)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	const chain = "192.0.2.7, " + otherBalancer
	ask := func() int {
		t.Helper()
		status, _ := forwarded(t, c, r, "a.example", chain)
		return status
	}
	got := []int{ask()}
	w.trust(balancer + ", " + otherBalancer)
	got = append(got, ask())

	arrived := make(chan struct{}, 1)
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: "+chain+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-arrived
	w.listen = strings.ReplaceAll(w.listen, ", "+otherBalancer+"]", "]")
	began := time.Now()
	w.apply()
	got = append(got, readAnswer(t, r).StatusCode)
	if took := time.Since(began); took > inTime {
		t.Errorf("a client who is another one now was answered after %v", took)
	}
	got = append(got, ask())
	if diff := cmp.Diff([]int{403, 200, 403, 403}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestTrustOfTunnels: a WebSocket keeps what told its client after its head's
// buffer has gone back.
func TestTrustOfTunnels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	w.trust(balancer + ", " + otherBalancer)
	c, _, err := websocket.Dial(t.Context(), "https://a.example/ws", &websocket.DialOptions{
		HTTPClient: w.client("forwarded", balancer, false),
		HTTPHeader: http.Header{"X-Forwarded-For": {"192.0.2.7", otherBalancer}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	say(t, c)
	w.set("globex", "")
	w.set("acme", twoTenants["acme"]+"paths: {allow: [double_slash]}\n")
	say(t, c)
	w.listen = strings.ReplaceAll(w.listen, ", "+otherBalancer+"]", "]")
	w.apply()
	diesWithin(t, c, inTime)
}

// TestTrustUntil: an entry of a trust set ends as any other does.
func TestTrustUntil(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c, err := w.dialForwarded(balancer)
	if err != nil {
		t.Fatal(err)
	}
	w.trust("{ip: " + balancer + ", until: 2001-01-01}")
	endsWithin(t, c, inTime)
	if _, err := w.dialForwarded(balancer); err == nil {
		t.Error("a balancer whose time is over shakes hands")
	}
}

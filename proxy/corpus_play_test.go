package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The request that shows whether a connection goes on, and where it arrives.
const (
	nextRequest = "GET /next HTTP/1.1\nHost: a.example\n\n"
	nextForward = "GET /next HTTP/1.1\nHost: a.example\n{fwd}\n\n"
	nextAnswer  = "HTTP/1.1 204 No Content\n{std}\n\n"
)

// corpusRun is one case being played.
type corpusRun struct {
	t       *testing.T
	stage   *corpusStage
	c       *corpusCase
	backend *corpusBackend
	client  *tls.Conn
	refs    []string // that the client has been told
}

// play plays a case from its first byte to the end of all connections.
func (s *corpusStage) play(t *testing.T, c *corpusCase) {
	c, err := c.on(s.plane)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c.why)
	r := &corpusRun{t: t, stage: s, c: c, backend: listenCorpus(t, c)}
	s.gateway.Apply(compileTable(t, tenantWith(c.tenant, r.backend.addr()), setup{}))
	defer s.gateway.Apply(s.idle)
	r.client = s.dial(t)
	write(t, r.client, c.in)
	if c.inEnds {
		r.endHalf()
	}
	r.end()
	if t.Failed() {
		t.FailNow()
	}
	next := r.next()
	// Now that nothing is in flight, the gateway gives up the idle connections
	// to a backend that it has no use for: they end, and nothing is missed.
	_ = r.client.NetConn().Close()
	s.gateway.Apply(s.idle)
	r.compareBackend(next)
}

// dial is gateway.dial with records as large as may be, so that what the client
// writes at once is read at once, and with the cheapest of handshakes.
func (s *corpusStage) dial(t *testing.T) *tls.Conn {
	t.Helper()
	tcp, err := net.Dial("tcp", s.gateway.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close() })
	c := tls.Client(&endSeer{TCPConn: tcp.(*net.TCPConn)}, &tls.Config{
		ServerName: "a.example", RootCAs: s.gateway.roots, NextProtos: []string{"http/1.1"},
		DynamicRecordSizingDisabled: true, CurvePreferences: []tls.CurveID{tls.CurveP256},
	})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// end receives what the client is to receive.
func (r *corpusRun) end() {
	ending := &r.c.ending
	switch {
	case ending.how == "out":
		r.refs = r.compare("the client received", ending.out, r.receive(ending.out))
	case ending.how == "tunnel":
		got := r.receive(ending.out)
		r.endHalf()
		rest, how := r.receiveAll()
		r.refs = r.compare("the client received", ending.out, got+rest)
		r.compareEnd("closed", how)
	default:
		got := ""
		if r.c.later != "" {
			got = r.receive(ending.out)
			write(r.t, r.backend.conn(r.t, 0), r.c.later)
		}
		rest, how := r.receiveAll()
		r.refs = r.compare("the client received", ending.out, got+rest)
		r.compareEnd(ending.how, how)
	}
}

// next sends another request: on the client's connection if that goes on, else
// on a new one. It returns the connection of the backend on which it must
// arrive, -1 if none was sent.
func (r *corpusRun) next() int {
	switch {
	case r.c.ending.how == "out" && r.c.later != "":
		write(r.t, r.backend.conn(r.t, 0), r.c.later)
	case r.c.ending.how == "out":
	case len(r.c.backend) == 0:
		return -1
	default:
		r.client = r.stage.dial(r.t)
	}
	write(r.t, r.client, expand(nextRequest))
	want := expand(nextAnswer)
	r.refs = append(r.refs, r.compare("to another request the client received", want, r.receive(want))...)
	r.endHalf()
	rest, how := r.receiveAll()
	if rest != "" {
		r.t.Errorf("behind its last answer the client received %q", rest)
	}
	r.compareEnd("closed", how)
	arrives := max(len(r.c.backend)-1, 0)
	if r.c.ending.fresh {
		arrives = len(r.c.backend)
	}
	for n := range arrives {
		endOf(r.t, r.backend.conn(r.t, n)) // the gateway has no other reason to end it than the case
	}
	return arrives
}

// compareBackend compares what the backend has received; next is the
// connection on which the other request came.
func (r *corpusRun) compareBackend(next int) {
	want := slices.Clone(r.c.backend)
	switch {
	case next == len(want):
		want = append(want, expand(nextForward))
	case next >= 0:
		want[next] += expand(nextForward)
	}
	got := r.backend.all(r.t)
	if len(got) != len(want) {
		r.t.Fatalf("the backend was connected to %d times, want %d:\n%s", len(got), len(want), visible(strings.Join(got, "⏏\n")))
	}
	for i := range want {
		what := fmt.Sprintf("connection %d of the backend received", i+1)
		for _, ref := range r.compare(what, want[i], got[i]) {
			if !slices.Contains(r.refs, ref) && r.c.ending.how != "cut" {
				r.t.Errorf("the backend was told the ref %q, the client %q", ref, r.refs)
			}
		}
	}
}

func (r *corpusRun) endHalf() {
	if err := r.client.CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
}

// receive reads as many bytes as want has, or less if no more come.
func (r *corpusRun) receive(want string) string {
	buf := make([]byte, len(r.stage.form(want)))
	_ = r.client.SetReadDeadline(time.Now().Add(patience))
	n, err := io.ReadFull(r.client, buf)
	if err != nil {
		r.t.Logf("reading: %v", err)
	}
	return string(buf[:n])
}

// receiveAll reads to the end, and says how it came.
func (r *corpusRun) receiveAll() (got, how string) {
	_ = r.client.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(r.client)
	switch {
	case isTimeout(err):
		return string(all), "not at all"
	case err != nil || r.client.NetConn().(*endSeer).ended:
		return string(all), "cut"
	}
	return string(all), "closed"
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

func (r *corpusRun) compareEnd(want, got string) {
	if got != want {
		r.t.Errorf("the client's connection ends %s, want %s", got, want)
	}
}

var (
	marks   = regexp.MustCompile(regexp.QuoteMeta(refMark) + "|" + regexp.QuoteMeta(dateMark))
	madeRef = regexp.MustCompile("^[" + refAlphabet + "]{16}$")
)

// compare compares what came with what is wanted. Where want has a placeholder,
// something well-formed must stand. It returns the refs that stand there.
func (r *corpusRun) compare(what, want, got string) (refs []string) {
	r.t.Helper()
	want, got = r.stage.form(want), r.stage.form(got)
	masked := []byte(got)
	for _, at := range marks.FindAllStringIndex(want, -1) {
		if at[1] > len(got) {
			break
		}
		text, mark := got[at[0]:at[1]], want[at[0]:at[1]]
		_, err := time.Parse(time.RFC1123, text)
		if mark == refMark && madeRef.MatchString(text) {
			refs = append(refs, text)
			err = nil
		}
		if err == nil {
			copy(masked[at[0]:], mark)
		}
	}
	if string(masked) != want {
		r.t.Errorf("%s (-want +got):\n%s", what, cmp.Diff(visible(want), visible(string(masked))))
	}
	return refs
}

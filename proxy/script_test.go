package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestExchanges plays the scripts of testdata/exchange. Each is an archive
// whose sections happen in order:
//
//	client          the client sends these bytes
//	got             the client receives exactly these
//	got eof         the client's stream ends in order
//	got cut         it ends otherwise
//	client fin, client rst, client close_notify
//	                the client ends its connection, or half of it
//	backend a1      the first connection to backend a receives exactly these bytes
//	answer a1       the backend sends these on it
//	answer a1 fin, answer a1 rst, answer a1 half
//	                the backend ends it
//	backend a1 eof  the backend sees that it has ended
//	backend a1 rest it receives whatever it may until then
//	tenant          keys of the tenant's file; must come first
//
// "a1" may be left out. At the end nothing may have been received that is not
// in the script. Lines end in CRLF, unless a backslash stands at their end;
// \x00 and the like are bytes. {fwd} and {std} stand for the fields that the
// gateway adds to every request and answer, {ref} and {date} for their changing
// parts, {page STATUS} for a page of ours, {1000 x} for a thousand x.
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/exchange/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			play(t, readScript(t, file), exactly)
		})
	}
}

func readScript(t *testing.T, file string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// exactly is how bytes are compared where every one of them counts.
func exactly(s string) string { return s }

// patience bounds a wait for what happens at once, or within about a second where
// a timer of the gateway is waited for, on a machine at rest.
const patience = time.Minute

// stage is what a script plays on.
type stage struct {
	t        *testing.T
	gateway  *gateway
	client   *tls.Conn
	backends map[string]*scriptedBackend
	// form is what counts of the bytes that are received. It keeps their number.
	form func(string) string
}

func play(t *testing.T, archive *txtar.Archive, form func(string) string) {
	s := &stage{t: t, form: form, backends: map[string]*scriptedBackend{"a": listenBackend(t), "b": listenBackend(t)}}
	sections := archive.Files
	keys := ""
	if len(sections) > 0 && sections[0].Name == "tenant" {
		keys, sections = string(sections[0].Data), sections[1:]
	}
	s.gateway = startGateway(t, s.tenant(keys), setup{})
	s.client = s.gateway.dial(t)
	for i, section := range sections {
		t.Logf("step %d: %s", i+1, section.Name)
		s.step(section)
		if t.Failed() {
			t.FailNow()
		}
	}
	for name, b := range s.backends {
		b.expectNothing(t, name)
	}
}

// tenant is the text of the tenant's file.
func (s *stage) tenant(keys string) string {
	if !strings.Contains(keys, "backends:") {
		keys += "backends: [\"http://{a}\"]\n"
	}
	if !strings.Contains(keys, "access:") {
		keys += "access: {public: test}\n"
	}
	if !strings.Contains(keys, "hosts:") {
		keys += "hosts: [a.example]\n"
	}
	return strings.NewReplacer("{a}", s.backends["a"].addr, "{b}", s.backends["b"].addr, "{dead}", refusedPort(s.t)).Replace(keys)
}

func (s *stage) step(section txtar.File) {
	words := strings.Fields(section.Name)
	text := expand(string(section.Data))
	actor, rest := words[0], words[1:]
	switch actor {
	case "client":
		if len(rest) == 0 {
			write(s.t, s.client, text)
			return
		}
		s.endClient(rest[0])
	case "got":
		if len(rest) == 0 {
			receive(s.t, s.client, text, s.form)
			return
		}
		s.clientSeesEnd(rest[0])
	case "backend":
		c, rest := s.connection(rest)
		if len(rest) > 0 {
			expectEnd(s.t, c, rest[0] == "rest")
			return
		}
		receive(s.t, c, text, s.form)
	case "answer":
		c, rest := s.connection(rest)
		if len(rest) > 0 {
			endConn(s.t, c, rest[0])
			return
		}
		write(s.t, c, text)
	default:
		s.t.Fatalf("section %q: nobody of that name", section.Name)
	}
}

// connection finds "a1" in front of words.
func (s *stage) connection(words []string) (net.Conn, []string) {
	name, number := "a", 1
	if len(words) > 0 && s.backends[words[0][:1]] != nil && len(words[0]) == 2 {
		name, number = words[0][:1], int(words[0][1]-'0')
		words = words[1:]
	}
	return s.backends[name].connection(s.t, number), words
}

func (s *stage) endClient(how string) {
	if how == "close_notify" {
		if err := s.client.CloseWrite(); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	endConn(s.t, s.client.NetConn().(*endSeer).TCPConn, map[string]string{"fin": "half", "rst": "rst"}[how])
}

func (s *stage) clientSeesEnd(how string) {
	_ = s.client.SetReadDeadline(time.Now().Add(patience))
	n, err := s.client.Read(make([]byte, 1))
	if timeout, ok := err.(net.Error); n > 0 || err == nil || ok && timeout.Timeout() {
		s.t.Fatalf("the client's stream does not end: %d bytes, %v", n, err)
	}
	if inOrder := err == io.EOF && !s.client.NetConn().(*endSeer).ended; inOrder != (how == "eof") {
		s.t.Errorf("the client's stream ends with %v, want %s", err, how)
	}
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_ = c.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("writing: %v", err)
	}
}

// receive reads as many bytes as want has in its form and compares them.
func receive(t *testing.T, c net.Conn, want string, form func(string) string) {
	t.Helper()
	want = form(want)
	buf := make([]byte, len(want))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := io.ReadFull(c, buf)
	got := []byte(mask(form(string(buf[:n])), want))
	if err != nil && n < len(want) {
		t.Logf("reading: %v", err)
	}
	if diff := cmp.Diff(visible(want), visible(string(got))); diff != "" {
		t.Errorf("what came (-want +got):\n%s", diff)
	}
}

// visible makes a text that diffs well.
func visible(s string) string {
	if len(s) > 4000 {
		s = fmt.Sprintf("%s … %d bytes … %s", s[:1000], len(s), s[len(s)-1000:])
	}
	return strings.ReplaceAll(s, "\r\n", "⏎\n")
}

// Changing parts have the length of their placeholders.
var (
	refMark  = strings.Repeat("?", refBytes)
	dateMark = strings.Repeat("~", len("Sun, 09 Sep 2001 01:46:40 GMT"))
)

// mask puts the placeholders of want over what stands in their place in got.
func mask(got, want string) string {
	masked := []byte(got)
	for i := range masked {
		if i < len(want) && (want[i] == '?' || want[i] == '~') {
			masked[i] = want[i]
		}
	}
	return string(masked)
}

var repeated = regexp.MustCompile(`\{(\d+) (.)\}`)

func expand(s string) string {
	s = strings.NewReplacer(
		"{fwd}", "X-Forwarded-For: 127.0.0.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: a.example\nX-Request-Id: "+refMark+"\nX-Tenant: acme",
		"{std}", "Date: "+dateMark+"\nX-Request-Id: "+refMark,
		"{ref}", refMark, "{date}", dateMark,
	).Replace(s)
	s = regexp.MustCompile(`\{page (\d+)( close)?\}\n`).ReplaceAllStringFunc(s, expandPage)
	s = repeated.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[1])
		return strings.Repeat(parts[2], n)
	})
	s = strings.ReplaceAll(s, "\n", "\r\n")
	s = strings.ReplaceAll(s, "\\\r\n", "")
	return regexp.MustCompile(`\\x[0-9a-f]{2}|\\[rnt]`).ReplaceAllStringFunc(s, func(m string) string {
		text, err := strconv.Unquote(`"` + m + `"`)
		if err != nil {
			return m
		}
		return text
	})
}

// expandPage is a whole answer of ours.
func expandPage(mark string) string {
	words := strings.Fields(strings.Trim(mark, "{}\n"))
	status, _ := strconv.Atoi(words[1])
	page := appendPage(nil, &answerPage{status: status, ref: []byte(refMark), close: len(words) > 2})
	text := strings.ReplaceAll(string(page), "Thu, 01 Jan 1970 00:00:00 GMT", dateMark)
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	return strings.ReplaceAll(head, "\r\n", "\n") + "\n\n" + strings.ReplaceAll(body, "\n", "\\n\\\n")
}

func endConn(t *testing.T, c net.Conn, how string) {
	t.Helper()
	tcp := c.(*net.TCPConn)
	switch how {
	case "half":
		_ = tcp.CloseWrite()
	case "fin":
		_ = tcp.Close()
	case "rst":
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	default:
		t.Fatalf("a connection does not end by %q", how)
	}
}

// expectEnd waits for the end of the stream, whatever its kind; with rest, more
// may come before.
func expectEnd(t *testing.T, c net.Conn, rest bool) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	n, err := c.Read(make([]byte, 1))
	for rest && err == nil {
		_, err = c.Read(make([]byte, 4096))
		n = 0
	}
	if timeout, ok := err.(net.Error); n > 0 || err == nil || ok && timeout.Timeout() {
		t.Errorf("the backend's stream does not end: %d bytes, %v", n, err)
	}
}

// scriptedBackend accepts connections and leaves them to the script.
type scriptedBackend struct {
	addr     string
	listener net.Listener
	accepted chan net.Conn
	conns    []net.Conn
}

func listenBackend(t *testing.T) *scriptedBackend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &scriptedBackend{addr: l.Addr().String(), listener: l, accepted: make(chan net.Conn, 16)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.accepted <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		close(b.accepted)
		for c := range b.accepted {
			c.Close()
		}
		for _, c := range b.conns {
			c.Close()
		}
	})
	return b
}

// connection returns the n-th connection, waiting for it if need be.
func (b *scriptedBackend) connection(t *testing.T, n int) net.Conn {
	t.Helper()
	for len(b.conns) < n {
		select {
		case c := <-b.accepted:
			b.conns = append(b.conns, c)
		case <-time.After(patience):
			t.Fatalf("connection %d to a backend does not come", n)
		}
	}
	return b.conns[n-1]
}

// expectNothing fails if the backend has received what the script does not
// know of.
func (b *scriptedBackend) expectNothing(t *testing.T, name string) {
	t.Helper()
	select {
	case <-b.accepted:
		t.Errorf("backend %s was connected to once more than the script says", name)
	default:
	}
	for i, c := range b.conns {
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		if n, _ := c.Read(make([]byte, 1)); n > 0 {
			t.Errorf("connection %s%d has received more than the script says", name, i+1)
		}
	}
}

package dnstest

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Server is a running server. Its methods are safe for concurrent use.
type Server struct {
	addr    string
	servers []*dns.Server
	done    chan struct{}
	ended   sync.WaitGroup

	mu      sync.Mutex
	zones   map[string]*zone // by name, lower case, with the last dot
	keys    map[string]key   // TSIG keys by name
	rules   []rule
	delay   time.Duration
	skew    time.Duration // of the clock that judges signatures
	ttl     *uint32       // of records in answers; nil: one second
	queries []Query
}

// Query is a question that the server heard.
type Query struct {
	Name string // lower case, with its last dot
	Type string // "A", "SOA"; of an update "UPDATE"
	TCP  bool
}

// Start starts a server that the end of the test closes.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// portsTried is how often a port is looked for that is free by UDP and TCP.
const portsTried = 20

// Listen starts a server without a test. Close ends it.
func Listen(address string) (*Server, error) {
	var tcp net.Listener
	var udp net.PacketConn
	var err error
	for range portsTried {
		if tcp, err = net.Listen("tcp", address); err != nil {
			return nil, err
		}
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			break
		}
		_ = tcp.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s by UDP and TCP: %w", address, err)
	}
	s := &Server{
		addr: tcp.Addr().String(), done: make(chan struct{}), delay: time.Second,
		zones: map[string]*zone{}, keys: map[string]key{},
	}
	s.servers = []*dns.Server{s.serve(&dns.Server{Listener: tcp}, true), s.serve(&dns.Server{PacketConn: udp}, false)}
	return s, nil
}

// serve starts one transport and waits until it runs.
func (s *Server) serve(srv *dns.Server, tcp bool) *dns.Server {
	started := make(chan struct{})
	srv.NotifyStartedFunc = func() { close(started) }
	srv.TsigProvider = keyring{s}
	srv.UDPSize = dns.MaxMsgSize
	srv.MsgAcceptFunc = func(h dns.Header) dns.MsgAcceptAction {
		if isResponse := h.Bits&(1<<15) != 0; isResponse {
			return dns.MsgIgnore
		}
		return dns.MsgAccept
	}
	srv.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { s.handle(w, m, tcp) })
	s.ended.Go(func() { _ = srv.ActivateAndServe() })
	<-started
	return srv
}

// Addr returns host:port, the same by UDP and TCP.
func (s *Server) Addr() string { return s.addr }

// Close ends the server and waits for its goroutines.
func (s *Server) Close() {
	close(s.done)
	for _, srv := range s.servers {
		_ = srv.Shutdown()
	}
	s.ended.Wait()
}

// Queries returns what was asked so far, in order.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.queries...)
}

func (s *Server) handle(w dns.ResponseWriter, m *dns.Msg, tcp bool) {
	if len(m.Question) != 1 {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(m, dns.RcodeFormatError))
		return
	}
	q := m.Question[0]
	name := canonical(q.Name)
	kind := dns.TypeToString[q.Qtype]
	if m.Opcode == dns.OpcodeUpdate {
		kind = "UPDATE"
	}
	s.mu.Lock()
	s.queries = append(s.queries, Query{Name: name, Type: kind, TCP: tcp})
	s.mu.Unlock()

	fault := s.faultOf(name, q.Qtype)
	if fault == Slow && !s.wait() {
		return
	}
	var answer *dns.Msg
	switch {
	case m.Opcode == dns.OpcodeUpdate && fault != None && fault != Slow:
		answer = new(dns.Msg).SetReply(m) // a server out of order changes nothing
	case m.Opcode == dns.OpcodeUpdate:
		answer = s.update(m, w.TsigStatus())
	default:
		answer = s.answer(m)
	}
	if fault != None && fault != Slow {
		if raw := spoil(fault, answer, tcp); raw != nil {
			_, _ = w.Write(raw)
		} else if tcp {
			_ = w.Close()
		}
		return
	}
	if !tcp {
		answer.Truncate(udpSize(m))
	}
	_ = w.WriteMsg(answer)
}

// udpSize is what the asker can take.
func udpSize(m *dns.Msg) int {
	if opt := m.IsEdns0(); opt != nil {
		return int(opt.UDPSize())
	}
	return dns.MinMsgSize
}

// canonical returns name in lower case with its last dot.
func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// typeOf returns the number of a type's name. It panics on one that does not
// exist: a mistake of the test.
func typeOf(name string) uint16 {
	t, ok := dns.StringToType[strings.ToUpper(name)]
	if !ok {
		panic("dnstest: no type " + name)
	}
	return t
}

package dns01

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
	"github.com/libdns/libdns"
	"github.com/miekg/dns"
)

// soon is the pause between attempts in tests.
const soon = 5 * time.Millisecond

func txt(name, value string) []libdns.Record {
	return []libdns.Record{libdns.TXT{Name: name, Text: value}}
}

// updating returns a provider of one zone by signed updates.
func updating(t *testing.T, server, algorithm, secret string) *Provider {
	ps := mustCompile(t, `p: {zones: [acme.example], rfc2136: {server: "`+server+`", key_name: gatehouse., algorithm: `+algorithm+`, key: {file: tsig}}}`, nil)
	p := ps.List()[0]
	w := p.writer.(*signedUpdates)
	w.secret, w.pause, w.timeMax = dnstest.EncodeKey([]byte(secret)), soon, 2*time.Second
	return p
}

func TestUpdates(t *testing.T) {
	for _, algorithm := range []string{"hmac-sha256", "hmac-sha384", "hmac-sha512"} {
		s := dnstest.Start(t)
		s.Zone("acme.example")
		s.AllowUpdates("acme.example", "gatehouse.", []byte("secret"))
		p := updating(t, s.Addr(), algorithm, "secret")
		for _, value := range []string{"one", "two", "one"} {
			if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", value)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"one", "two"}, s.Values("_acme-challenge.pa.acme.example", "TXT")); diff != "" {
			t.Error(diff)
		}
		for _, value := range []string{"one", "never"} {
			if _, err := p.DeleteRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", value)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff([]string{"two"}, s.Values("_acme-challenge.pa.acme.example", "TXT")); diff != "" {
			t.Error(diff)
		}
	}
}

func TestUpdatesRefused(t *testing.T) {
	tests := []struct {
		title  string
		secret string
		set    func(*dnstest.Server)
		want   string
	}{
		{"wrong secret", "other", func(s *dnstest.Server) { s.AllowUpdates("acme.example", "gatehouse.", []byte("secret")) }, "holds another secret for the key gatehouse. (BADSIG)"},
		{"unknown key", "secret", func(*dnstest.Server) {}, "does not know the key gatehouse. with hmac-sha256. (BADKEY)"},
		{"clock", "secret", func(s *dnstest.Server) {
			s.AllowUpdates("acme.example", "gatehouse.", []byte("secret"))
			s.SkewClock(time.Hour)
		}, "the clocks of "},
		{"may not", "secret", func(s *dnstest.Server) { s.AllowUpdates("other.example", "gatehouse.", []byte("secret")) }, "refuses to change the zone acme.example.: REFUSED, the key gatehouse. may not"},
		{"no updates", "secret", func(s *dnstest.Server) {
			s.AllowUpdates("acme.example", "gatehouse.", []byte("secret"))
			s.Fault(".", dnstest.NotImplement)
		}, "NOTIMP, it takes no updates"},
		{"out of order", "secret", func(s *dnstest.Server) { s.Fault(".", dnstest.ServFail) }, "SERVFAIL"},
		{"garbage", "secret", func(s *dnstest.Server) { s.Fault(".", dnstest.Garbage) }, "ask 127.0.0.1:"},
		{"silence", "secret", func(s *dnstest.Server) { s.Fault(".", dnstest.Drop) }, "ask 127.0.0.1:"},
		{"another id", "secret", func(s *dnstest.Server) { s.Fault(".", dnstest.WrongID) }, "ask 127.0.0.1:"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			s := dnstest.Start(t)
			s.Zone("acme.example")
			tt.set(s)
			p := updating(t, s.Addr(), "hmac-sha256", tt.secret)
			got, err := p.AppendRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", "v"))
			if err == nil || len(got) != 0 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, %v; want %q", got, err, tt.want)
			}
			if !strings.HasPrefix(err.Error(), `dns provider "p": add TXT of _acme-challenge.pa.acme.example.: `) {
				t.Errorf("%v does not say what was done", err)
			}
			if values := s.Values("_acme-challenge.pa.acme.example", "TXT"); values != nil {
				t.Errorf("written: %q", values)
			}
		})
	}
}

// A passing failure is tried again.
func TestUpdatesRetried(t *testing.T) {
	s := dnstest.Start(t)
	s.Zone("acme.example")
	s.AllowUpdates("acme.example", "gatehouse.", []byte("secret"))
	s.Fault(".", dnstest.ServFail)
	p := updating(t, s.Addr(), "hmac-sha256", "secret")
	p.writer.(*signedUpdates).pause = 250 * time.Millisecond
	// The first attempt fails. The server recovers once the second one has
	// arrived: for that one it may be too late, and then the pause of half a
	// second after it is when it recovers.
	ctx, cancel := context.WithCancel(t.Context())
	healed := make(chan struct{})
	go func() {
		defer close(healed)
		look := time.NewTicker(time.Millisecond)
		defer look.Stop()
		for len(s.Queries()) < 2 && ctx.Err() == nil {
			<-look.C
		}
		s.Fault(".", dnstest.None)
	}()
	defer func() { cancel(); <-healed }()
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err != nil {
		t.Error(err)
	}
	if n := len(s.Queries()); n < 2 {
		t.Errorf("%d attempts", n)
	}
}

// Whoever stands in the way and says "done" without the key is not believed.
func TestUnsignedAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{Listener: l, MsgAcceptFunc: func(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		_ = w.WriteMsg(new(dns.Msg).SetReply(m))
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	p := updating(t, l.Addr().String(), "hmac-sha256", "secret")
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "answers without a signature; not believed") {
		t.Errorf("got %v", err)
	}
	_ = server.Shutdown()
	<-ended
}

func TestUpdatesOfNobody(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p := updating(t, address, "hmac-sha256", "secret")
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.AppendRecords(ctx, "acme.example.", txt("x", "v")); err == nil {
		t.Error("a cancelled context is no failure")
	}
}

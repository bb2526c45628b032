package dnsquery

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
)

func TestFaults(t *testing.T) {
	tests := []struct {
		fault  dnstest.Fault
		kind   Kind
		detail string
	}{
		{dnstest.Drop, Timeout, ""},
		{dnstest.Slow, Timeout, ""},
		{dnstest.Garbage, Malformed, ""},
		{dnstest.Short, Malformed, ""},
		{dnstest.WrongID, Malformed, "it answers another query"},
		{dnstest.WrongQuestion, Malformed, "it answers another question"},
		{dnstest.ServFail, ServerFailure, "delegation is lame"},
		{dnstest.Refuse, Refused, "REFUSED"},
		{dnstest.NotImplement, Refused, "NOTIMP"},
		{dnstest.TruncateAll, Malformed, "the connection ended"},
		{dnstest.Flood, TooMuch, ""},
		{dnstest.Truncate, 0, ""},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("fault %d", tt.fault), func(t *testing.T) {
			t.Parallel() // some wait
			s, _ := sample(t)
			s.Delay(time.Minute)
			s.Fault("pa.acme.example", tt.fault)
			r := New([]string{s.Addr()}, Options{Timeout: timeoutAt(tt.fault)})
			got, _, err := r.Addresses(t.Context(), "pa.acme.example")
			if KindOf(err) != tt.kind {
				t.Errorf("%v, %v; want %q", got, err, tt.kind)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.detail) || strings.ContainsAny(err.Error(), "\n\x00")) {
				t.Errorf("%q does not say %q in one line", err, tt.detail)
			}
		})
	}
	s, r := sample(t)
	s.Fault("pa.acme.example", dnstest.Foreign)
	if got, _, err := r.Addresses(t.Context(), "pa.acme.example"); got != nil || err != nil {
		t.Errorf("records of another name were believed: %v, %v", got, err)
	}
}

// A server that is down, or that refuses, is not the last word while another
// answers.
func TestNextServer(t *testing.T) {
	t.Parallel() // with TestFaults: both wait
	s, _ := sample(t)
	refusing := dnstest.Start(t)
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	r := New([]string{refusing.Addr(), gone.LocalAddr().String(), silent.LocalAddr().String(), s.Addr()}, Options{Timeout: time.Second})
	if got, _, err := r.Addresses(t.Context(), "pa.acme.example"); len(got) != 3 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if !r.Alive(t.Context()) {
		t.Error("a server that refuses the root is alive")
	}
	r = New([]string{gone.LocalAddr().String(), silent.LocalAddr().String()}, Options{Timeout: soon})
	if r.Alive(t.Context()) {
		t.Error("nobody is alive")
	}
	if _, _, err := r.Addresses(t.Context(), "pa.acme.example"); KindOf(err) != Timeout {
		t.Errorf("got %v", err)
	}
	r = New([]string{gone.LocalAddr().String()}, Options{})
	if _, _, err := r.Addresses(t.Context(), "pa.acme.example"); KindOf(err) != Unreachable {
		t.Errorf("got %v", err)
	}
}

// A forged datagram that comes first does not end the wait for the real one.
func TestStrayDatagram(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	real, _ := sample(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, from, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			for range straysMost - 2 {
				_, _ = server.WriteTo([]byte("forged"), from)
			}
			up, err := net.Dial("udp", real.Addr())
			if err != nil {
				return
			}
			_, _ = up.Write(buffer[:n])
			n, _ = up.Read(buffer)
			up.Close()
			_, _ = server.WriteTo(buffer[:n], from)
		}
	}()
	r := New([]string{server.LocalAddr().String()}, Options{})
	if got, _, err := r.Addresses(t.Context(), "pa.acme.example"); len(got) != 3 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	server.Close()
	<-done
}

func TestSystemServers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	r := New(nil, Options{Config: file})
	if got := r.Servers(); got != nil {
		t.Errorf("no file names %q", got)
	}
	if _, err := r.TXT(t.Context(), "acme.example"); KindOf(err) != NoServers {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(file, []byte("search acme.example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"192.0.2.53:53", "[2001:db8::53]:53"}, r.Servers()); diff != "" {
		t.Error(diff)
	}
}

func TestCancelled(t *testing.T) {
	s, r := sample(t)
	s.Fault(".", dnstest.Drop)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(soon, cancel)
	begun := time.Now()
	if _, err := r.TXT(ctx, "acme.example"); err == nil || time.Since(begun) > rounds*attemptTimeout-time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

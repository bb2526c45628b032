package main

import (
	"net"
	"testing"
)

// TestHello: what is recorded is the first message of a handshake that names A.
func TestHello(t *testing.T) {
	hello, err := recordHello()
	if err != nil {
		t.Fatal(err)
	}
	const handshake, clientHello = 22, 1 // RFC 8446 sections 5.1 and 4
	if len(hello) < 100 || hello[0] != handshake || hello[5] != clientHello {
		t.Errorf("%d bytes that begin with %x are no ClientHello", len(hello), hello[:min(8, len(hello))])
	}
}

// TestMedian: of an even number it is the middle between the two in the middle.
func TestMedian(t *testing.T) {
	for want, of := range map[float64][]float64{0: nil, 3: {3}, 2.5: {4, 1, 2, 3}, 7: {9, 1, 7}} {
		if got := median(of); got != want {
			t.Errorf("median of %v is %v, want %v", of, got, want)
		}
	}
}

// TestSources: each client has a loopback address of its own.
func TestSources(t *testing.T) {
	seen := make(map[string]bool)
	for i := range manyClients {
		a := sourceOf(i).String()
		if seen[a] || !net.ParseIP(a).IsLoopback() {
			t.Fatalf("client %d comes from %s", i, a)
		}
		seen[a] = true
	}
}

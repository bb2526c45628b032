package proxy

import (
	"bytes"
	"strings"
	"testing"
)

func TestRefs(t *testing.T) {
	s := &Server{}
	seen := make(map[string]bool)
	ex := s.takeExchange()
	for range 10 * refsAhead {
		ex.mintRef()
		ref := string(ex.ref[:])
		if seen[ref] || strings.Trim(ref, refAlphabet) != "" {
			t.Fatalf("ref %q: seen before, or with other letters than %s", ref, refAlphabet)
		}
		seen[ref] = true
	}
}

func TestExchangesComeBackEmpty(t *testing.T) {
	s := &Server{}
	ex := s.takeExchange()
	w := ex.work
	ex.method, ex.status, ex.backend = []byte("GET"), 200, "b"
	ex.bytesIn.Add(5)
	ex.addField("Name", "value")
	s.giveExchange(ex)
	if w.exchange.method != nil || w.exchange.status != 0 || w.exchange.backend != "" || w.exchange.bytesIn.Load() != 0 {
		t.Errorf("what is left: %+v", &w.exchange)
	}
	if len(w.fields) != 0 || len(w.made) != 0 || w.trip.ex != nil {
		t.Error("something is left in the workspace")
	}
}

func TestEnchunk(t *testing.T) {
	buffer := new(copyBuffer)
	for _, n := range []int{1, 15, 16, 4096, copyRoom - chunkHeaderRoom - len(crlf)} {
		data := bytes.Repeat([]byte{'x'}, n)
		copy(buffer[chunkHeaderRoom:], data)
		got := enchunk(buffer, n)
		want := []byte(strings.ToLower(hex(n)) + "\r\n" + string(data) + "\r\n")
		if !bytes.Equal(got, want) {
			t.Errorf("enchunk(%d) begins %.20q and has %d bytes, want %.20q and %d", n, got, len(got), want, len(want))
		}
	}
}

func hex(n int) string {
	const digits = "0123456789abcdef"
	if n < 16 {
		return digits[n : n+1]
	}
	return hex(n/16) + digits[n%16:n%16+1]
}

package dnsquery

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzUnescape: what goes into a record as bytes comes out as bytes.
func FuzzUnescape(f *testing.F) {
	f.Add([]byte(`a"b\c`))
	f.Add([]byte("\x00\xff;= 123\\200"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > 255 {
			return
		}
		header := []byte{0, 0, 16, 0, 1, 0, 0, 0, 1, byte((len(value) + 1) >> 8), byte(len(value) + 1), byte(len(value))}
		rr, _, err := dns.UnpackRR(append(header, value...), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := unescape(rr.(*dns.TXT).Txt[0]); got != string(value) {
			t.Errorf("got %q, want %q", got, value)
		}
	})
}

// FuzzUnescapeText: nothing that is written trips it.
func FuzzUnescapeText(f *testing.F) {
	f.Add(`\`)
	f.Add(`\12`)
	f.Add(`\999`)
	f.Fuzz(func(t *testing.T, text string) {
		if got := unescape(text); len(got) > len(text) {
			t.Errorf("%q grew to %q", text, got)
		}
	})
}

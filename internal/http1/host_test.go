package http1

import (
	"net/netip"
	"testing"
)

// TestIPv6IsNetip compares with the standard library's parser, which
// allocates.
func TestIPv6IsNetip(t *testing.T) {
	for _, s := range []string{
		"", ":", "::", "::1", "1::", ":1", "1:", "1::2", "::1::", ":::", "1:::2",
		"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", "::ffff:192.0.2.1",
		"::192.0.2.1:1", "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:7:192.0.2.1", "1:2:3:4:5:192.0.2.1",
		"::192.0.2", "::192.0.2.256", "::192.0.2.01", "::192.0.2.1.", "::192..2.1", "::1.2.3.4.5",
		"192.0.2.1", "FE80::A", "::%1", "fe80::1%eth0", "::1/64", ":: 1",
	} {
		checkIPv6(t, s)
	}
}

func checkIPv6(t *testing.T, s string) {
	t.Helper()
	a, err := netip.ParseAddr(s)
	want := err == nil && a.Is6() && a.Zone() == ""
	if got := isIPv6([]byte(s)); got != want {
		t.Errorf("isIPv6(%q) = %v, want %v", s, got, want)
	}
}

func FuzzIPv6(f *testing.F) {
	for _, s := range []string{"::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1::2:"} {
		f.Add(s)
	}
	f.Fuzz(checkIPv6)
}

func TestSplitHost(t *testing.T) {
	for _, c := range []struct {
		in, name string
		port     uint16
	}{
		{"a.example:443", "a.example", 443},
		{"a.example", "a.example", 0},
		{"[::1]:1", "[::1]", 1},
	} {
		name, port, ok := SplitHost([]byte(c.in))
		if !ok || string(name) != c.name || port != c.port {
			t.Errorf("SplitHost(%q) = %q, %d, %v", c.in, name, port, ok)
		}
	}
}

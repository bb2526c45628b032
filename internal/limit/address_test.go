package limit

import (
	"net/netip"
	"testing"
)

func TestAddressOf(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"2001:db8::1%eth0", "2001:db8::2", true},
		{"::1", "::2", true},
		{"::1", "0.0.0.1", false},
		{"0.0.0.0", "::", false},
		{"0.0.0.0", "192.0.2.1", false},
	} {
		a, b := AddressOf(netip.MustParseAddr(test.a)), AddressOf(netip.MustParseAddr(test.b))
		if (a == b) != test.same || a == 0 || b == 0 {
			t.Errorf("%s and %s count as %#x and %#x, want them alike: %v", test.a, test.b, a, b, test.same)
		}
	}
}

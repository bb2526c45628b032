package tenancy_test

import (
	"strings"
	"testing"

	"gatehouse/tenancy"
)

func TestNormalizeHost(t *testing.T) {
	longest := strings.Repeat("abcdefghi.", 25) + "abc" // 253
	for _, test := range []struct{ authority, want string }{
		{"acme.example", "acme.example"},
		{"ACME.Example", "acme.example"},
		{"acme.example.", "acme.example"},
		{"acme.example:443", "acme.example"},
		{"acme.example.:8443", "acme.example"},
		{"a_b.example", "a_b.example"},
		{"localhost", "localhost"},
		{"192.0.2.1:80", "192.0.2.1"},
		{"[2001:DB8::1]:443", "[2001:db8::1]"},
		{longest, longest},
		{longest + ".", longest},
		{longest + "d", ""},
		{strings.Repeat("a", 63) + ".example", strings.Repeat("a", 63) + ".example"},
		{strings.Repeat("a", 64) + ".example", ""},
		{"", ""},
		{".", ""},
		{"..", ""},
		{".example", ""},
		{"a..example", ""},
		{"acme.example..", ""},
		{":443", ""},
		{"acme.example:", ""},
		{"acme.example:65536", ""},
		{"acme.example:443x", ""},
		{"acme.example:-1", ""},
		{"acme.example:4:43", ""},
		{"acme example", ""},
		{"acme.example\x00", ""},
		{"bücher.example", ""},
		{"*.acme.example", ""},
		{"user@acme.example", ""},
		{"acme.example/", ""},
		{"[::1", ""},
		{"[]", ""},
		{"[::1]x", ""},
		{"[fe80::1%eth0]", ""},
	} {
		var buffer [tenancy.HostBytesMax]byte
		host, ok := tenancy.NormalizeHost(buffer[:0], []byte(test.authority))
		if got := string(host); got != test.want || ok != (test.want != "") {
			t.Errorf("NormalizeHost(%q) = %q, %v, want %q", test.authority, got, ok, test.want)
		}
	}
}

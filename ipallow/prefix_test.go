package ipallow

import (
	"errors"
	"net/netip"
	"testing"
)

func TestParsePrefix(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"10.1.2.0/24", "10.1.2.0/24"},
		{"10.1.2.3", "10.1.2.3/32"},
		{"10.1.2.3/32", "10.1.2.3/32"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"2001:DB8::1", "2001:db8::1/128"},
		{"::/0", "::/0"},
		{"::ffff:192.0.2.1", "192.0.2.1/32"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"::ffff:0:0/96", "0.0.0.0/0"},
	} {
		got, err := ParsePrefix(test.text)
		if err != nil || got.String() != test.want {
			t.Errorf("ParsePrefix(%q) = %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestParsePrefixRefuses(t *testing.T) {
	const example = " is not an address range; write it like 10.1.2.0/24"
	for _, test := range []struct{ text, want, hint string }{
		{"203.0.113.9/28", `"203.0.113.9/28" has bits beyond its length; write 203.0.113.0/28`, ""},
		{"2001:db8::1/32", `"2001:db8::1/32" has bits beyond its length; write 2001:db8::/32`, ""},
		{"::ffff:192.0.2.1/120", `"::ffff:192.0.2.1/120" has bits beyond its length; write 192.0.2.0/24`, ""},
		{"10.1.2.300/24", `"10.1.2.300/24"` + example, ""},
		{"10.1.2.0/33", `"10.1.2.0/33" has the length "33"; expected a number up to 32, or a single address without one`, ""},
		{"2001:db8::/129", `"2001:db8::/129" has the length "129"; expected a number up to 128, or a single address without one`, ""},
		{"10.1.2.0/", `"10.1.2.0/" has the length ""; expected a number up to 32, or a single address without one`, ""},
		{"any", `"any"` + example, "to admit everybody, write public: REASON in place of allow"},
		{"10.1.2.0/08", `"10.1.2.0/08" has the length "08"; expected a number up to 32, or a single address without one`, ""},
		{"10.1.2.0/+8", `"10.1.2.0/+8" has the length "+8"; expected a number up to 32, or a single address without one`, ""},
		{"10.1.2", `"10.1.2"` + example, ""},
		{"", `""` + example, ""},
		{"office.example", `"office.example"` + example, ""},
		{"10.1.2.*", `"10.1.2.*"` + example, ""},
		{"10.1.2.3:80", `"10.1.2.3:80"` + example, ""},
		{"[2001:db8::1]", `"[2001:db8::1]"` + example, ""},
		{"fe80::1%eth0", `"fe80::1%eth0" names the network interface "eth0"; a listed address has none: write fe80::1`, ""},
		{"fe80::%eth0/64", `"fe80::%eth0/64" names the network interface "eth0"; a listed address has none: write fe80::/64`, ""},
		{"010.1.2.3", `"010.1.2.3" has a number with a leading zero, which some programs read as octal; write 10.1.2.3`, ""},
		{"10.01.2.0/24", `"10.01.2.0/24" has a number with a leading zero, which some programs read as octal; write 10.1.2.0/24`, ""},
		{"10.1.2.0/255.255.255.0", `"10.1.2.0/255.255.255.0" has a mask instead of a length; write 10.1.2.0/24`, ""},
		{"10.1.2.0/255.0.255.0", `"10.1.2.0/255.0.255.0" has the length "255.0.255.0"; expected a number up to 32, or a single address without one`, ""},
		{
			"10.1.2.4-10.1.2.9", `"10.1.2.4-10.1.2.9" is written from-to; expected an address or a network like 10.1.2.0/24`,
			"write its networks: 10.1.2.4/30, 10.1.2.8/31",
		},
		{
			"10.1.2.1 - 10.1.2.30", `"10.1.2.1 - 10.1.2.30" is written from-to; expected an address or a network like 10.1.2.0/24`,
			"write its networks: 10.1.2.1, 10.1.2.2/31, 10.1.2.4/30, 10.1.2.8/29, and 4 more",
		},
		{"10.1.2.9-10.1.2.4", `"10.1.2.9-10.1.2.4"` + example, ""},
	} {
		_, err := ParsePrefix(test.text)
		why := new(PrefixError)
		if !errors.As(err, &why) {
			t.Errorf("ParsePrefix(%q): %v, want a *PrefixError", test.text, err)
			continue
		}
		if why.Text != test.want || why.Hint != test.hint {
			t.Errorf("ParsePrefix(%q): %s (hint %q), want %s (hint %q)", test.text, why.Text, why.Hint, test.want, test.hint)
		}
	}
}

func FuzzParsePrefix(f *testing.F) {
	for _, seed := range []string{"10.1.2.0/24", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.1.2.0/255.255.255.0", "010.1.2.3", "10.0.0.1-10.0.0.9", "::/0-"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePrefix(text)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("ParsePrefix(%q): an error without words", text)
			}
			return
		}
		if !p.IsValid() || p != p.Masked() || p.Addr().Zone() != "" || p.Addr().Is4In6() && p.Bits() >= 96 {
			t.Errorf("ParsePrefix(%q) = %v, which is not plain", text, p)
		}
		again, err := ParsePrefix(p.String())
		if err != nil || again != p {
			t.Errorf("ParsePrefix(%v) = %v, %v, want itself", p, again, err)
		}
		if a, err := netip.ParseAddr(text); err == nil && !p.Contains(a.Unmap()) {
			t.Errorf("ParsePrefix(%q) = %v, which lacks the address itself", text, p)
		}
	})
}

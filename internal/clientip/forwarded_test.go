package clientip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// listed are the proxies of these tests.
func listed(a netip.Addr) bool {
	return netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
}

func values(lines ...string) [][]byte {
	v := make([][]byte, len(lines))
	for i, line := range lines {
		v[i] = []byte(line)
	}
	return v
}

func TestFromForwarded(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []string
		want   string
	}{
		{"one", []string{"192.0.2.1"}, "192.0.2.1"},
		{"the last counts", []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1"},
		{"past listed", []string{"198.51.100.1, 192.0.2.1, 10.0.0.1, 10.9.9.9"}, "192.0.2.1"},
		{"over several fields", []string{"198.51.100.1", "192.0.2.1, 10.0.0.1", "10.0.0.2"}, "192.0.2.1"},
		{"listed beyond the client does not count", []string{"10.0.0.7, 192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
		{"rubbish beyond the client is not read", []string{"<script>, \x00, 192.0.2.1"}, "192.0.2.1"},
		{"port", []string{"192.0.2.1:49152"}, "192.0.2.1"},
		{"port 0", []string{"192.0.2.1:0"}, "192.0.2.1"},
		{"IPv6", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv6 in brackets", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"IPv6 with port", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"IPv6 proxy", []string{"192.0.2.1, fd00::1"}, "192.0.2.1"},
		{"quoted", []string{`"192.0.2.1"`}, "192.0.2.1"},
		{"quoted with port", []string{`"[2001:db8::1]:4711"`}, "2001:db8::1"},
		{"mapped", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"mapped proxy", []string{"192.0.2.1, [::ffff:10.0.0.1]:80"}, "192.0.2.1"},
		{"blanks", []string{" \t192.0.2.1 \t, \t10.0.0.1  "}, "192.0.2.1"},
		{"no blanks", []string{"192.0.2.1,10.0.0.1"}, "192.0.2.1"},
		{"empty elements", []string{",192.0.2.1,, ,10.0.0.1,"}, "192.0.2.1"},
		{"empty field", []string{"192.0.2.1", ""}, "192.0.2.1"},
		{"longest form", []string{`"[1111:2222:3333:4444:5555:6666:123.123.123.123]:65535"`}, "1111:2222:3333:4444:5555:6666:7b7b:7b7b"},
	} {
		got, err := FromForwarded(values(test.values...), listed)
		if err != nil || got.String() != test.want {
			t.Errorf("%s: FromForwarded(%q) = %v, %v, want %s", test.name, test.values, got, err, test.want)
		}
	}
}

func TestFromForwardedRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		values []string
		want   error
	}{
		{"no field", nil, ErrMissing},
		{"empty field", []string{""}, ErrMissing},
		{"commas", []string{" , ,", "\t"}, ErrMissing},
		{"proxies only", []string{"10.0.0.1, 10.0.0.2"}, ErrAllListed},
		{"unknown", []string{"unknown"}, ErrMalformed},
		{"unknown behind a proxy", []string{"192.0.2.1, unknown, 10.0.0.1"}, ErrMalformed},
		{"hidden", []string{"_hidden"}, ErrMalformed},
		{"name", []string{"localhost"}, ErrMalformed},
		{"two in one", []string{"192.0.2.1 10.0.0.1"}, ErrMalformed},
		{"other separator", []string{"192.0.2.1; 10.0.0.1"}, ErrMalformed},
		{"leading zero", []string{"192.0.2.01"}, ErrMalformed},
		{"short", []string{"192.0.2"}, ErrMalformed},
		{"number", []string{"3221225985"}, ErrMalformed},
		{"prefix", []string{"192.0.2.0/24"}, ErrMalformed},
		{"zone", []string{"fe80::1%eth0"}, ErrMalformed},
		{"zone in brackets", []string{"[fe80::1%25eth0]"}, ErrMalformed},
		{"IPv4 in brackets", []string{"[192.0.2.1]"}, ErrMalformed},
		{"open bracket", []string{"[2001:db8::1"}, ErrMalformed},
		{"close bracket", []string{"2001:db8::1]"}, ErrMalformed},
		{"text after bracket", []string{"[2001:db8::1]443"}, ErrMalformed},
		{"empty port", []string{"192.0.2.1:"}, ErrMalformed},
		{"empty IPv6 port", []string{"[2001:db8::1]:"}, ErrMalformed},
		{"large port", []string{"192.0.2.1:65536"}, ErrMalformed},
		{"long port", []string{"192.0.2.1:000080"}, ErrMalformed},
		{"signed port", []string{"192.0.2.1:+80"}, ErrMalformed},
		{"port alone", []string{":80"}, ErrMalformed},
		{"open quote", []string{`"192.0.2.1`}, ErrMalformed},
		{"lone quote", []string{`"`}, ErrMalformed},
		{"empty quotes", []string{`""`}, ErrMalformed},
		{"blank in quotes", []string{`" 192.0.2.1"`}, ErrMalformed},
		{"Forwarded's form", []string{"for=192.0.2.1"}, ErrMalformed},
		{"NUL", []string{"192.0.2.1\x00"}, ErrMalformed},
		{"long element", []string{strings.Repeat("1", maxElementBytes+1)}, ErrTooLong},
		{"long chain", []string{"192.0.2.1" + strings.Repeat(", 10.0.0.1", maxElements)}, ErrTooLong},
		{"many commas", []string{"192.0.2.1" + strings.Repeat(",", maxElements)}, ErrTooLong},
		{"many fields", append([]string{"192.0.2.1"}, make([]string, maxElements)...), ErrTooLong},
	} {
		got, err := FromForwarded(values(test.values...), listed)
		if !errors.Is(err, test.want) || got.IsValid() {
			t.Errorf("%s: FromForwarded(%q) = %v, %v, want %v", test.name, test.values, got, err, test.want)
		}
	}
}

func TestFromForwardedAllocatesNothing(t *testing.T) {
	v := values("198.51.100.1", `192.0.2.1:80, "[fd00::1]:99", ::ffff:10.0.0.1`)
	proxy := netip.MustParsePrefix("10.0.0.0/8")
	proxy6 := netip.MustParsePrefix("fd00::/8")
	trusted := func(a netip.Addr) bool { return proxy.Contains(a) || proxy6.Contains(a) }
	if n := testing.AllocsPerRun(100, func() {
		if _, err := FromForwarded(v, trusted); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzFromForwarded holds the fields to a plain reading of the same text.
func FuzzFromForwarded(f *testing.F) {
	for _, seed := range []string{
		"192.0.2.1", "192.0.2.1, 10.0.0.1", `"[2001:db8::1]:4711", fd00::1`, ",,", "unknown", "::ffff:10.0.0.1,", "fe80::1%eth0", "[1.2.3.4]:80", "1:2:3",
	} {
		f.Add(seed, "10.0.0.1")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		got, err := FromForwarded(values(one, two), listed)
		want, ok := slowly(one + "," + two)
		if errors.Is(err, ErrTooLong) {
			return
		}
		if ok != (err == nil) || got != want {
			t.Errorf("FromForwarded(%q, %q) = %v, %v, want %v, %v", one, two, got, err, want, ok)
		}
		joined, joinedErr := FromForwarded(values(one+","+two), listed)
		if joined != got || !errors.Is(joinedErr, err) {
			t.Errorf("joined: %v, %v, apart: %v, %v", joined, joinedErr, got, err)
		}
	})
}

func slowly(chain string) (netip.Addr, bool) {
	elements := strings.Split(chain, ",")
	for i := len(elements) - 1; i >= 0; i-- {
		text := strings.Trim(elements[i], " \t")
		if text == "" {
			continue
		}
		if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
			text = text[1 : len(text)-1]
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			a, err = bracketed(text)
		}
		if err != nil || a.Zone() != "" {
			return netip.Addr{}, false
		}
		if a = a.Unmap(); !listed(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func bracketed(text string) (netip.Addr, error) {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text += ":0"
	}
	if port := text[strings.LastIndexByte(text, ':')+1:]; len(port) > len("65535") {
		return netip.Addr{}, ErrMalformed
	}
	ap, err := netip.ParseAddrPort(text)
	return ap.Addr(), err
}

func BenchmarkFromForwarded(b *testing.B) {
	v := values("198.51.100.1, 192.0.2.1:80, 10.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := FromForwarded(v, listed); err != nil {
			b.Fatal(err)
		}
	}
}

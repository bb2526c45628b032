package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

// header is what a header must be understood as; "local" for Local.
func (h ProxyHeader) tell() string {
	if h.Local {
		return "local"
	}
	return h.Source.String() + " " + h.Destination.String()
}

// v2 builds a header of version 2 from its parts.
func v2(command, family byte, parts ...string) string {
	block := strings.Join(parts, "")
	head := []byte(v2Signature)
	head = append(head, command, family)
	head = binary.BigEndian.AppendUint16(head, uint16(len(block)))
	return string(head) + block
}

// summed puts the checksum in the place of the last four bytes.
func summed(header string) string {
	b := []byte(header)
	clear(b[len(b)-4:])
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	return string(binary.BigEndian.AppendUint32(b[:len(b)-4], sum))
}

const (
	tcp4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x01\xbb" // 192.0.2.1:4660 to 198.51.100.2:443
	crc0 = "\x03\x00\x04\x00\x00\x00\x00"
	noop = "\x04\x00\x03abc"
)

var (
	tcp6   = "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01" + "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02" + "\x12\x34\x01\xbb"
	mapped = strings.Repeat("\x00", 10) + "\xff\xff\xc0\x00\x02\x01" + strings.Repeat("\x00", 10) + "\xff\xff\xc6\x33\x64\x02" + "\x12\x34\x01\xbb"
)

const (
	want4 = "192.0.2.1:4660 198.51.100.2:443"
	want6 = "[2001:db8::1]:4660 [2001:db8::2]:443"
)

var acceptedHeaders = []struct{ why, header, want string }{
	{"v1 IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", want4},
	{"v1 IPv6", "PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 4660 443\r\n", want6},
	{"v1 IPv4 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4660 443\r\n", want4},
	{"v1 ports at their ends", "PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255:65535 0.0.0.0:0"},
	{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", "local"},
	{"v1 UNKNOWN with what is ignored", "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n", "local"},
	{"v2 IPv4", v2(0x21, 0x11, tcp4), want4},
	{"v2 IPv6", v2(0x21, 0x21, tcp6), want6},
	{"v2 IPv4 mapped", v2(0x21, 0x21, mapped), want4},
	{"v2 with an extension", v2(0x21, 0x11, tcp4, noop), want4},
	{"v2 with an empty extension", v2(0x21, 0x11, tcp4, "\xe0\x00\x00"), want4},
	{"v2 with a checksum", summed(v2(0x21, 0x11, tcp4, noop, crc0)), want4},
	{"v2 IPv6 with a checksum", summed(v2(0x21, 0x21, tcp6, crc0)), want6},
	{"v2 as long as allowed", v2(0x21, 0x11, tcp4, "\xe0\x0f\xe1", strings.Repeat("x", 4065)), want4},
	{"v2 LOCAL", v2(0x20, 0x00), "local"},
	{"v2 LOCAL, block skipped", v2(0x20, 0x77, "anything"), "local"},
	{"v2 UNSPEC", v2(0x21, 0x00), "local"},
	{"v2 UNSPEC with a checksum", summed(v2(0x21, 0x00, crc0)), "local"},
}

var refusedHeaders = []struct{ why, header string }{
	{"a TLS record", "\x16\x03\x01"},
	{"a request", "GET / HTTP/1.1\r\n"},
	{"another method with P", "POST / HTTP/1.1\r\n"},
	{"lower case", "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n"},
	{"v1 by a tab", "PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2\r\n"},
	{"v1 ended by LF", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n"},
	{"v1 LF at once", "PROXY \n"},
	{"v1 nothing", "PROXY \r\n"},
	{"v1 two blanks", "PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n"},
	{"v1 a blank at the end", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n"},
	{"v1 too few parts", "PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n"},
	{"v1 too many parts", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n"},
	{"v1 UDP4", "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"},
	{"v1 UNKNOWNS", "PROXY UNKNOWNS\r\n"},
	{"v1 IPv6 as TCP4", "PROXY TCP4 ::1 ::2 1 2\r\n"},
	{"v1 IPv4 as TCP6", "PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n"},
	{"v1 mixed families", "PROXY TCP6 2001:db8::1 198.51.100.2 1 2\r\n"},
	{"v1 a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n"},
	{"v1 brackets", "PROXY TCP6 [::1] [::2] 1 2\r\n"},
	{"v1 zeros in an address", "PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n"},
	{"v1 three parts in an address", "PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n"},
	{"v1 a name", "PROXY TCP4 localhost 198.51.100.2 1 2\r\n"},
	{"v1 port 65536", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n"},
	{"v1 port -1", "PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n"},
	{"v1 port +1", "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n"},
	{"v1 port 01", "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n"},
	{"v1 no port", "PROXY TCP4 192.0.2.1 198.51.100.2  2\r\n"},
	{"v1 CR inside", "PROXY TCP4 192.0.2.1\r198.51.100.2 1 2\r\n"},
	{"v1 NUL inside", "PROXY TCP4 192.0.2.1\x00 198.51.100.2 1 2\r\n"},
	{"v1 too long", "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n"},
	{"v1 without end", "PROXY UNKNOWN " + strings.Repeat("f", 200)},
	{"v2 signature broken", "\r\n\r\n\x00\r\nQUIT\r"},
	{"v2 empty lines only", "\r\n\r\n\r\n"},
	{"v2 version 1", v2(0x11, 0x11, tcp4)},
	{"v2 version 3", v2(0x31, 0x11, tcp4)},
	{"v2 another command", v2(0x22, 0x11, tcp4)},
	{"v2 UDP", v2(0x21, 0x12, tcp4)},
	{"v2 Unix", v2(0x21, 0x31, strings.Repeat("x", 216))},
	{"v2 unknown family", v2(0x21, 0x41, tcp4)},
	{"v2 IPv4 without transport", v2(0x21, 0x10, tcp4)},
	{"v2 addresses cut short", v2(0x21, 0x11, tcp4[:11])},
	{"v2 IPv6 addresses cut short", v2(0x21, 0x21, tcp6[:35])},
	{"v2 no addresses", v2(0x21, 0x11)},
	{"v2 one byte behind the addresses", v2(0x21, 0x11, tcp4, "\x04")},
	{"v2 an extension without its length", v2(0x21, 0x11, tcp4, "\x04\x00")},
	{"v2 an extension cut short", v2(0x21, 0x11, tcp4, "\x04\x00\x04abc")},
	{"v2 a wrong checksum", v2(0x21, 0x11, tcp4, crc0)},
	{"v2 a wrong checksum with UNSPEC", v2(0x21, 0x00, crc0)},
	{"v2 a checksum of three bytes", v2(0x21, 0x11, tcp4, "\x03\x00\x03abc")},
	{"v2 a checksum of five bytes", v2(0x21, 0x11, tcp4, "\x03\x00\x05abcde")},
	{"v2 two checksums", summed(v2(0x21, 0x11, tcp4, crc0, crc0))},
	{"v2 too long", v2(0x21, 0x11, tcp4, "\xe0\x0f\xe2", strings.Repeat("x", 4066))},
}

func TestAcceptedProxyHeaders(t *testing.T) {
	for _, c := range acceptedHeaders {
		for _, rest := range []string{"", "\x16\x03\x01 and more"} {
			h, n, err := ParseProxyHeader([]byte(c.header + rest))
			if err != nil || n != len(c.header) || h.tell() != c.want {
				t.Errorf("%s: %s, %d of %d bytes, %v, want %s", c.why, h.tell(), n, len(c.header), err, c.want)
			}
		}
		for n := range len(c.header) {
			if _, _, err := ParseProxyHeader([]byte(c.header[:n])); !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%s, %d bytes of it: %v, want ErrIncomplete", c.why, n, err)
			}
		}
	}
}

func TestRefusedProxyHeaders(t *testing.T) {
	for _, c := range refusedHeaders {
		if h, n, err := ParseProxyHeader([]byte(c.header)); !errors.Is(err, ErrProxyHeader) || n != 0 || h != (ProxyHeader{}) {
			t.Errorf("%s: %v, %d, %v", c.why, h, n, err)
		}
	}
	if _, _, err := ParseProxyHeader([]byte{0x16}); errors.Is(err, ErrIncomplete) {
		t.Error("the first byte of TLS waits for more")
	}
}

func TestReadProxyHeader(t *testing.T) {
	for _, c := range acceptedHeaders {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
			"with the end": iotest.DataErrReader,
		} {
			r := wrap(strings.NewReader(c.header + "hello"))
			h, rest, err := ReadProxyHeader(r, make([]byte, ProxyHeaderBytesMax))
			left, _ := io.ReadAll(r)
			if err != nil || h.tell() != c.want || string(rest)+string(left) != "hello" {
				t.Errorf("%s, %s: %s, %q, %v", c.why, name, h.tell(), rest, err)
			}
		}
	}
}

func TestReadProxyHeaderEnds(t *testing.T) {
	buf := make([]byte, ProxyHeaderBytesMax)
	if _, _, err := ReadProxyHeader(strings.NewReader("PROXY TCP4 "), buf); !errors.Is(err, ErrIncomplete) || !errors.Is(err, io.EOF) {
		t.Errorf("cut short: %v", err)
	}
	if _, _, err := ReadProxyHeader(strings.NewReader("GET /"), buf); !errors.Is(err, ErrProxyHeader) {
		t.Errorf("no header: %v", err)
	}
	if _, _, err := ReadProxyHeader(strings.NewReader("PROXY UNKNOWN\r\n"), buf[:8]); !errors.Is(err, ErrProxyHeader) {
		t.Errorf("small buffer: %v", err)
	}
}

func TestAppendProxy(t *testing.T) {
	a4, b4 := netip.MustParseAddrPort("192.0.2.1:4660"), netip.MustParseAddrPort("198.51.100.2:443")
	a6, b6 := netip.MustParseAddrPort("[2001:db8::1]:4660"), netip.MustParseAddrPort("[fe80::2%eth0]:443")
	m4 := netip.MustParseAddrPort("[::ffff:192.0.2.1]:4660")
	for _, c := range []struct {
		header   ProxyHeader
		v1, read string
	}{
		{ProxyHeader{Source: a4, Destination: b4}, "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", want4},
		{ProxyHeader{Source: m4, Destination: b4}, "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", want4},
		{ProxyHeader{Source: a6, Destination: b6}, "PROXY TCP6 2001:db8::1 fe80::2 4660 443\r\n", "[2001:db8::1]:4660 [fe80::2]:443"},
		{ProxyHeader{Source: a6, Destination: b4}, "PROXY TCP6 2001:db8::1 ::ffff:198.51.100.2 4660 443\r\n", "[2001:db8::1]:4660 198.51.100.2:443"},
		{ProxyHeader{Local: true, Source: a4, Destination: b4}, "PROXY UNKNOWN\r\n", "local"},
		{ProxyHeader{Source: a4}, "PROXY UNKNOWN\r\n", "local"},
		{ProxyHeader{}, "PROXY UNKNOWN\r\n", "local"},
	} {
		v1 := appendProxyV1([]byte("x"), c.header)
		if string(v1) != "x"+c.v1 {
			t.Errorf("version 1 of %+v: %q, want %q", c.header, v1, c.v1)
		}
		for _, out := range [][]byte{v1[1:], bytes.TrimPrefix(appendProxyV2([]byte("x"), c.header), []byte("x"))} {
			h, n, err := ParseProxyHeader(out)
			if err != nil || n != len(out) || h.tell() != c.read {
				t.Errorf("%+v, written %q, reads as %s, %v", c.header, out, h.tell(), err)
			}
		}
	}
}

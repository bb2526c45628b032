package gateway

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/conf"
)

func at(text string) conf.At[string] {
	return conf.At[string]{V: text, Pos: conf.Pos{File: "f", Line: 1, Col: 1}}
}

func TestReadSecret(t *testing.T) {
	dir := tree(t, "key", "from a file", "credentials/seal", "from systemd", "large", strings.Repeat("x", secretBytesMax+1))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	t.Setenv("GATEHOUSE_TEST_KEY", "from the environment")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "credentials"))
	for _, test := range []struct {
		name   string
		secret conf.Secret
		want   string // or the end of the error
	}{
		{"file", conf.Secret{File: at("key")}, "from a file"},
		{"absolute file", conf.Secret{File: at(filepath.Join(dir, "key"))}, "from a file"},
		{"env", conf.Secret{Env: at("GATEHOUSE_TEST_KEY")}, "from the environment"},
		{"credential", conf.Secret{Credential: at("seal")}, "from systemd"},
		{"absent file", conf.Secret{File: at("none")}, "no such file or directory"},
		{"folder", conf.Secret{File: at("credentials")}, "it is not a file"},
		{"pipe", conf.Secret{File: at("pipe")}, "it is not a file"},
		{"too large", conf.Secret{File: at("large")}, "it has more than 1048576 bytes"},
		{"absent env", conf.Secret{Env: at("GATEHOUSE_TEST_NONE")}, "the environment has no variable GATEHOUSE_TEST_NONE"},
		{"credential elsewhere", conf.Secret{Credential: at("../key")}, "add LoadCredential=../key:FILE to the unit"},
	} {
		text, err := readSecret(&test.secret, dir)
		got := string(text)
		if err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, test.want) || got == "" {
			t.Errorf("%s: %q, %v, want %q", test.name, text, err, test.want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := readSecret(&conf.Secret{Credential: at("seal")}, dir); err == nil {
		t.Error("a credential is found where systemd passes none")
	}
}

func TestParseToken(t *testing.T) {
	if token, err := parseToken([]byte(" word\n")); token != "word" || err != nil {
		t.Errorf("parseToken = %q, %v", token, err)
	}
	if _, err := parseToken([]byte(" \n")); err == nil {
		t.Error("an empty token is taken")
	}
}

func TestMachine(t *testing.T) {
	var m machine
	for text, want := range map[string]bool{"127.0.0.1": true, "::ffff:127.0.0.1": true, "203.0.113.7": false} {
		if got := m.has(netip.MustParseAddr(text)); got != want {
			t.Errorf("has(%s) = %v, want %v", text, got, want)
		}
	}
	_, network, err := net.ParseCIDR("192.0.2.0/24")
	must(t, err)
	network.IP = net.ParseIP("192.0.2.9")
	set := addressSet([]net.Addr{network, &net.TCPAddr{IP: net.ParseIP("192.0.2.10")}})
	if len(set) != 1 || !set[netip.MustParseAddr("192.0.2.9")] {
		t.Errorf("addressSet = %v", set)
	}
}

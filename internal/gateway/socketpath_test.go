package gateway

import (
	"path/filepath"
	"testing"
)

func TestWrittenState(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen: [\nstate: /var/lib/gatehouse # sealed\n": "/var/lib/gatehouse",
		"state: \"a b\"\r\n{":                             "a b",
		"  state: x\n":                                    "",
		"state: x\nstate: y\n":                            "",
		"state: {x\n":                                     "",
		"state:\n":                                        "",
	} {
		if got := writtenState([]byte(text)); got != want {
			t.Errorf("of %q the state is %q, want %q", text, got, want)
		}
	}
}

// TestSocketPath: whatever is wrong with a main file, the process that runs on it
// is found unless the mistake may be about `state`.
func TestSocketPath(t *testing.T) {
	t.Parallel()
	const builtin = "/var/lib/gatehouse/gatehouse.sock"
	for text, want := range map[string]string{
		"version: 1\nstate: x\n":                                       "x/gatehouse.sock",
		"version: 1\nlisten: {https: [\":0\"]}\n":                      builtin,
		"version: 1\nblokc: []\n":                                      builtin,
		"verson: 1\nlisten: {http: []}\nx-note: the state of things\n": builtin,
		"version: 1\nblokc: []\nstate: x\n":                            "x/gatehouse.sock",
		"":                                                             builtin,
		"listen: {http: [":                                             builtin,
		"state: x\nlisten: {http: [":                                   "x/gatehouse.sock",
		"version: 1\n<<<<<<< HEAD\nblock: []\n=======\nblock: [x]\n>>>>>>> theirs\n": builtin,

		"version: 1\nsate: x\n":                  "",
		"version: 1\nState: x\n":                 "",
		"version: 1\nlisten: {state: x}\n":       "",
		"version: 1\nstate: [x]\n":               "",
		"listen: {http: [}\n# state as before\n": "",
		"state: x\nlisten: {http: [\nstate: y\n": "",
	} {
		dir := tree(t, "gatehouse.yaml", text)
		got, err := SocketPath(filepath.Join(dir, "gatehouse.yaml"))
		switch {
		case want == "" && err == nil:
			t.Errorf("of %q the socket is %q; want it not to be told", text, got)
		case want == "":
			wantContains(t, err.Error(), "cannot be told", "--state-dir /var/lib/gatehouse")
		case err != nil:
			t.Errorf("of %q the socket is not told: %v", text, err)
		case want != got && filepath.Join(dir, want) != got:
			t.Errorf("of %q the socket is %q, want %q", text, got, want)
		}
	}
}

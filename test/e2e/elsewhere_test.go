package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"testing"
)

// Elsewhere is another machine, as far as packets can tell: a network namespace at the other end of a virtual cable.
// Making one takes root, or sudo that asks for no password.
type elsewhere struct {
	t       *testing.T
	name    string
	address string // of the other end
}

// newElsewhere lays the cable; it is gone with the test. Its addresses are of the network for benchmarks between
// devices (RFC 2544), which nobody routes.
func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	n := freePorts(t, 1)[0] // nobody else has it, so that name and network are ours
	base := netip.MustParseAddr("198.18.0.0").As4()
	offset := n * 4 // below 2^17, as many addresses as there are
	near := netip.AddrFrom4([4]byte{base[0], base[1] + byte(offset>>16), byte(offset >> 8), byte(offset)}).Next()
	far := near.Next()
	e := &elsewhere{t: t, name: fmt.Sprintf("gh%d", n), address: far.String()}
	t.Cleanup(func() {
		// Without a context: that of the test has ended.
		del := asRoot("ip", "netns", "del", e.name)
		if out, err := exec.Command(del[0], del[1:]...).CombinedOutput(); err != nil {
			t.Errorf("ip netns del %s: %v\n%s", e.name, err, out)
		}
	})
	here, there := e.name+"a", e.name+"b"
	e.run("ip", "netns", "add", e.name)
	e.run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", e.name)
	e.run("ip", "addr", "add", near.String()+"/30", "dev", here)
	e.run("ip", "link", "set", here, "up")
	e.run("ip", "-n", e.name, "addr", "add", far.String()+"/30", "dev", there)
	e.run("ip", "-n", e.name, "link", "set", there, "up")
	e.inside("nft", "add", "table", "inet", "hole")
	e.inside("nft", "add", "chain", "inet", "hole", "in", "{ type filter hook input priority 0 ; }")
	return e
}

func (e *elsewhere) run(name string, args ...string) {
	e.t.Helper()
	all := asRoot(append([]string{tool(e.t, name)}, args...)...)
	if got := command(e.t, "", all[0], all[1:]...); got.code != 0 {
		e.t.Fatalf("%v = %d (it takes root, or sudo without a password)\n%s", all, got.code, got.stderr)
	}
}

// asRoot is a command as root runs it.
func asRoot(args ...string) []string {
	if os.Geteuid() == 0 {
		return args
	}
	return append([]string{"sudo", "-n"}, args...)
}

func (e *elsewhere) inside(args ...string) {
	e.t.Helper()
	tool(e.t, args[0])
	e.run("ip", append([]string{"netns", "exec", e.name}, args...)...)
}

// swallow has every packet that arrives there vanish, without a word to whoever sent it, until spit.
func (e *elsewhere) swallow() {
	e.t.Helper()
	e.inside("nft", "add", "rule", "inet", "hole", "in", "drop")
}

func (e *elsewhere) spit() {
	e.t.Helper()
	e.inside("nft", "flush", "chain", "inet", "hole", "in")
}

// newWorker starts a worker there.
func (e *elsewhere) newWorker() *worker {
	e.t.Helper()
	w := &worker{t: e.t, address: e.address + ":8080", log: e.t.TempDir() + "/arrived", netns: e.name}
	w.start()
	return w
}

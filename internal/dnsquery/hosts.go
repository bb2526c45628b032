package dnsquery

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// hostsFileMax bounds what is read of the hosts file: lists of advertisers that
// people keep there have a few megabytes.
const hostsFileMax = 8 << 20

// localhost leads to this machine without asking anybody (RFC 6761 section 6.3).
const localhost = "localhost"

// hostsFile is the machine's list of names (hosts(5)). It is read again when it
// has changed.
type hostsFile struct {
	path string

	mu    sync.Mutex
	stamp fileStamp
	names map[string][]netip.Addr
}

// fileStamp is what changes when a file does.
type fileStamp struct {
	written time.Time
	size    int64
}

// find returns the addresses that the file has for a name, in lower case without
// its last dot; none where it has none or cannot be read.
func (h *hostsFile) find(name string) []netip.Addr {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refresh()
	found := h.names[name]
	if found == nil && (name == localhost || strings.HasSuffix(name, "."+localhost)) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	return found
}

// refresh reads the file again if it is not the one that was read.
func (h *hostsFile) refresh() {
	info, err := os.Stat(h.path)
	if err != nil {
		h.stamp, h.names = fileStamp{}, nil
		return
	}
	stamp := fileStamp{info.ModTime(), info.Size()}
	if stamp == h.stamp {
		return
	}
	f, err := os.Open(h.path)
	if err != nil {
		h.stamp, h.names = fileStamp{}, nil
		return
	}
	defer f.Close()
	h.stamp, h.names = stamp, readHosts(io.LimitReader(f, hostsFileMax))
}

// readHosts reads lines of an address and its names. What is none is passed over,
// as the C library does.
func readHosts(from io.Reader) map[string][]netip.Addr {
	names := make(map[string][]netip.Addr)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) < 2 {
			continue
		}
		a, err := netip.ParseAddr(words[0])
		if err != nil || a.Zone() != "" {
			continue
		}
		for _, word := range words[1:] {
			name := strings.ToLower(strings.TrimSuffix(word, "."))
			names[name] = append(names[name], a.Unmap())
		}
	}
	return names
}

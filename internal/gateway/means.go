package gateway

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"gatehouse/internal/admin"
	"gatehouse/proxy"
)

// memoryShared is which part of the memory that the process may use is shared
// out to connections and requests. The collector lets the heap grow to twice of
// what is in use, and tables and certificates need theirs.
const memoryShared = 2

// memoryToShare returns what the tenants share of the memory that the process
// may use, and tells the garbage collector of a bound that it does not know: that
// of its control group, beyond which the kernel ends the process.
func memoryToShare() int64 {
	bound, share := memoryBounds(debug.SetMemoryLimit(-1), groupMemory("/proc/self/cgroup", "/sys/fs/cgroup"), machineMemory())
	debug.SetMemoryLimit(bound)
	return share
}

// memoryBounds returns what is to bound the collector, and what is shared: half
// of GOMEMLIMIT, else of what the control group may use, else of what the machine
// has.
func memoryBounds(limit, group, machine int64) (bound, share int64) {
	switch {
	case limit != math.MaxInt64:
		return limit, limit / memoryShared
	case group < machine:
		return group / 10 * 9, group / memoryShared
	}
	return limit, machine / memoryShared
}

// machineMemory returns how many bytes of memory the machine has.
func machineMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return math.MaxInt64
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// groupMemory returns how many bytes the control group of the process, or one
// above it, may use (version 2; memory.max). list is where the process's groups
// are listed, root where they are mounted.
func groupMemory(list, root string) int64 {
	least := int64(math.MaxInt64)
	text, err := os.ReadFile(list)
	if err != nil {
		return least
	}
	for line := range strings.Lines(string(text)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			least = min(least, memoryMax(path.Join(root, at, "memory.max")))
			if at == "/" {
				break
			}
		}
	}
	return least
}

// memoryMax reads a memory.max; "max", and what is not there, is no bound.
func memoryMax(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}

const (
	// filesKept are the file descriptors that are left to the log, the state, the
	// admin listeners, the watcher and certificate authorities.
	filesKept = 64
	// connectionsLeast may be open however few descriptors there are.
	connectionsLeast = 16
)

// connectionsMost returns how many clients may be connected at a time, and how
// many connections to backends may be open: half of the descriptors each, because
// a request may need one of either.
func connectionsMost() int {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur > math.MaxInt32 {
		return 0
	}
	return max((int(files.Cur)-filesKept)/2, connectionsLeast)
}

// partStatus describes what a tenant holds.
func partStatus(parts []proxy.MeansPart) []admin.PartStatus {
	var list []admin.PartStatus
	for _, p := range parts {
		list = append(list, admin.PartStatus{Means: p.Means, Held: p.Held, Part: p.Part, Used: min(float64(p.Held)/float64(max(p.Part, 1)), 1)})
	}
	return list
}

package pool

import "golang.org/x/sys/unix"

// lostPackets is how often in a row the kernel has sent the same bytes again when
// their loss is no accident: twice, which takes 600 ms at least (RFC 6298 2.4 and
// 5.5, with the least time of Linux).
const lostPackets = 2

// Heard reports whether the backend's machine has acknowledged all that was
// written, and if it has not, whether it is gone: the kernel has sent the rest
// again and again, and not a packet has come back. It may be asked while the
// connection is in use.
func (c *Conn) Heard() (all, gone bool) {
	all = true // as far as is known
	_ = c.raw.control.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return
		}
		all = info.Unacked == 0 && info.Notsent_bytes == 0
		gone = info.Unacked > 0 && info.Retransmits >= lostPackets
	})
	return all, gone
}

// More reports whether a backend that is up is left that the request was not sent
// to. It does not allocate.
func (r *Round) More() bool {
	v := r.pool.view.Load()
	for _, t := range v.tiers[:ejectedPrimary] {
		if t == nil {
			continue
		}
		for i, seats := range t.members {
			if r.roster != v.roster || seats&^r.tried[i] != 0 {
				return true // by another roster: as far as is known
			}
		}
	}
	return false
}

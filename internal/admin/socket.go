package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ListenSocket opens the command socket at path, mode 0600, for this user and
// root. A socket that a dead process left behind is replaced: call it only
// while holding the lock of the state folder, which proves that no live process
// listens there.
func ListenSocket(path string, log *slog.Logger) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("command socket %s: something else than a socket is in its place; move it away", path)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("command socket: take away what a former process left: %w", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("command socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("command socket: %w", err)
	}
	// Whoever comes before this is asked for by its user all the same; see
	// credentialListener.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("command socket: %w", err), l.Close())
	}
	return &credentialListener{UnixListener: l, log: log, uid: uint32(os.Getuid())}, nil
}

// credentialListener closes connections of other users than its own and root.
// The file's mode says the same; the kernel's word is the one that cannot be
// widened by a chmod.
type credentialListener struct {
	*net.UnixListener
	log *slog.Logger
	uid uint32
}

// Accept returns the next connection of a user who may command.
func (l *credentialListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := callerUID(c)
		if err == nil && (uid == l.uid || uid == 0) {
			return &credentialConn{UnixConn: c, caller: caller(uid)}, nil
		}
		l.log.Warn("command socket: closed a connection of another user", "uid", uid, "err", err)
		_ = c.Close() // nothing was said on it
	}
}

// credentialConn is a connection whose remote address is who connected.
type credentialConn struct {
	*net.UnixConn
	caller caller
}

// RemoteAddr names the caller; the address of a Unix client says nothing.
func (c *credentialConn) RemoteAddr() net.Addr { return c.caller }

// caller is a user of this machine, as an address.
type caller uint32

// Network returns "unix".
func (caller) Network() string { return "unix" }

// String returns "uid 0", as the record of changes has it.
func (c caller) String() string { return "uid " + strconv.FormatUint(uint64(c), 10) }

// callerUID asks the kernel who connected (SO_PEERCRED, unix(7)).
func callerUID(c *net.UnixConn) (uint32, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, credErr); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

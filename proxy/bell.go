package proxy

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// bell tells when the processors have come round: to whom the network has
// something to say is looked up only when nothing else is ready to run, and ring
// returns behind everybody who was found by that.
type bell struct {
	file *os.File
	raw  syscall.RawConn
}

// newBell returns a bell; its owner closes it.
func newBell() (*bell, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	file := os.NewFile(uintptr(fd), "bell")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &bell{file, raw}, nil
}

// ring makes the bell's file ready and waits for the runtime to notice.
func (b *bell) ring() {
	one, rung := [8]byte{1}, false // 1 or 2^56, as the machine has its bytes: both are far from full
	err := b.raw.Read(func(fd uintptr) bool {
		if rung {
			_, _ = unix.Read(int(fd), one[:])
			return true
		}
		rung = true
		_, err := unix.Write(int(fd), one[:])
		return err != nil
	})
	if err != nil {
		runtime.Gosched() // it is closed
	}
}

func (b *bell) close() { _ = b.file.Close() }

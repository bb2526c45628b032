package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// maxPIDText bounds what is read of the lock file: a pid and a line end.
const maxPIDText = 32

// ErrLocked is matched by *LockedError.
var ErrLocked = errors.New("in use by another process")

// LockedError says that another process has the store of Dir open. It matches
// ErrLocked.
type LockedError struct {
	Dir string
	PID int // 0 where the holder has not said
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("state %s is in use by another process", e.Dir)
	}
	return fmt.Sprintf("state %s is in use by process %d", e.Dir, e.PID)
}

// Is makes errors.Is(err, ErrLocked) hold.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// takeLock locks the lock file of dir and writes our pid into it. The kernel
// gives the lock up with the descriptor, so a killed process leaves none. The
// file stays: to remove it would let two processes lock two files.
func takeLock(root *os.Root, dir string) (*os.File, error) {
	info, err := root.Lstat(lockName)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("state %s: %s is not a regular file", dir, lockName)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	if err := lockFile(f, dir); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func lockFile(f *os.File, dir string) error {
	err := flock(f)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &LockedError{Dir: dir, PID: readPID(f)}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return fmt.Errorf("state %s: lock: %w", dir, err)
	}
	return nil
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// readPID returns 0 where the holder is between locking and writing.
func readPID(f *os.File) int {
	text, err := io.ReadAll(io.LimitReader(f, maxPIDText))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}

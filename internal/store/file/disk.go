package file

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is what the store asks of the file system, by names relative to the
// state. It is the seam at which the tests let each call fail in turn.
type disk interface {
	stat(name string) (fs.FileInfo, error) // of a link itself
	read(name string, limit int) ([]byte, error)
	entries(name string) ([]fs.DirEntry, error) // sorted by name
	mkdir(name string) error
	write(name string, value []byte) error // a new file, synced
	rename(from, to string) error
	remove(name string) error
	syncDir(name string) error
	close() error
}

// rootDisk is the disk of a directory. os.Root keeps every name inside it,
// whatever links somebody plants meanwhile.
type rootDisk struct{ root *os.Root }

func (d rootDisk) stat(name string) (fs.FileInfo, error) { return d.root.Lstat(name) }

// read returns at most limit+1 bytes, so that the caller sees excess.
func (d rootDisk) read(name string, limit int) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)+1))
}

func (d rootDisk) entries(name string) ([]fs.DirEntry, error) {
	return fs.ReadDir(d.root.FS(), name)
}

func (d rootDisk) mkdir(name string) error { return d.root.Mkdir(name, dirMode) }

func (d rootDisk) write(name string, value []byte) error {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(value)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d rootDisk) rename(from, to string) error { return d.root.Rename(from, to) }

func (d rootDisk) remove(name string) error { return d.root.Remove(name) }

func (d rootDisk) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	// Some network file systems cannot sync a directory; there a rename is
	// as durable as the server makes it.
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

func (d rootDisk) close() error { return d.root.Close() }

package livesets

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/ipallow"
)

// racyTime is how young a change may be while another may follow it that leaves
// no other trace: file systems keep times of one or two seconds.
const racyTime = 3 * time.Second

// readFile reads a file unless it is what it was.
func (a *asker) readFile(s *ipallow.Source, mark string, now time.Time) (answer, error) {
	file, err := a.open(s.Target, s.Confined)
	if err != nil {
		return answer{}, causeOf(err)
	}
	defer file.Close() // it was only read
	info, err := file.Stat()
	switch {
	case err != nil:
		return answer{}, causeOf(err)
	case !info.Mode().IsRegular():
		return answer{}, errors.New("it is not a file")
	}
	seen := markOf(info)
	if seen == mark && mark != "" {
		return answer{same: true, mark: mark}, nil
	}
	if now.Sub(info.ModTime()) < racyTime {
		seen = ""
	}
	text, err := readBounded(file)
	if err != nil {
		return answer{}, err
	}
	prefixes, err := parseList(text, s.Max)
	return answer{prefixes: prefixes, mark: seen}, err
}

// open opens a file that a text names. It may be a pipe, which is not waited for.
func (a *asker) open(name string, confined bool) (*os.File, error) {
	const how = os.O_RDONLY | syscall.O_NONBLOCK
	if !confined {
		if !filepath.IsAbs(name) {
			name = filepath.Join(a.base, name)
		}
		return os.OpenFile(name, how, 0)
	}
	root, err := os.OpenRoot(a.base)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(filepath.FromSlash(name), how, 0)
}

// markOf tells one content of a file from another without reading it.
func markOf(info os.FileInfo) string {
	inode := uint64(0)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return fmt.Sprint(inode, info.Size(), info.ModTime().UnixNano())
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, textBytesMax+1))
	switch {
	case err != nil:
		return nil, causeOf(err)
	case len(text) > textBytesMax:
		return nil, fmt.Errorf("it has more than %d bytes", textBytesMax)
	}
	return text, nil
}

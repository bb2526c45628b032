package gateway

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAccessLogPlaces(t *testing.T) {
	var stdout bytes.Buffer
	for _, test := range []struct {
		access string
		want   io.Writer
	}{{"off", nil}, {"", &stdout}, {"stdout", &stdout}} {
		l, err := openAccessLog(test.access, ".", &stdout)
		if err != nil || l.writer() != test.want {
			t.Errorf("openAccessLog(%q) = %v, %v, want %v", test.access, l.writer(), err, test.want)
		}
		must(t, l.reopen())
		must(t, l.close())
	}
}

// TestAccessLogRotates: lines go to the file that had the name when the log was
// opened last; nobody but owner and group may read it.
func TestAccessLogRotates(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "access.log")
	l, err := openAccessLog("access.log", dir, nil)
	must(t, err)
	write := func(text string) {
		t.Helper()
		if n, err := l.writer().Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	write("one\n")
	must(t, os.Rename(path, path+".1"))
	write("two\n")
	must(t, l.reopen())
	write("three\n")
	for name, want := range map[string]string{path + ".1": "one\ntwo\n", path: "three\n"} {
		if got, err := os.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v, want %q", name, got, err, want)
		}
	}
	info, err := os.Stat(path)
	must(t, err)
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		t.Errorf("mode %v, want nothing for others", mode)
	}

	must(t, os.RemoveAll(dir))
	if err := l.reopen(); err == nil || !strings.Contains(err.Error(), "access.log: no such file or directory") {
		t.Errorf("reopen in a folder that is gone = %v", err)
	}
	write("into the former file\n")
	must(t, l.close())
}

// TestAccessLogBlocked: a write that nobody takes holds up neither the reload
// that opens the log again nor the end.
func TestAccessLogBlocked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	if _, err := openAccessLog("pipe", dir, nil); err == nil {
		t.Fatal("a pipe without a reader is opened")
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	defer func() { _ = reader.Close() }()
	l, err := openAccessLog("pipe", dir, nil)
	must(t, err)
	written := make(chan error, 1)
	go func() {
		_, err := l.Write(make([]byte, 1<<20)) // far more than a pipe holds
		written <- err
	}()
	_, err = reader.Read(make([]byte, 1)) // it has begun
	must(t, err)
	must(t, os.Rename(path, path+".1"))
	must(t, l.reopen())
	select {
	case err := <-written:
		must(t, err) // the rest went to the new file
	case <-time.After(patience):
		t.Fatal("the write is still blocked")
	}
	must(t, l.close())
	if _, err := l.Write([]byte("x")); err == nil {
		t.Error("a closed log takes lines")
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() == 0 {
		t.Error("nothing of the rest is in the new file")
	}
}

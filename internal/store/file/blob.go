package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/store"
)

// blobMark ends the name of every blob; see the package comment.
const blobMark = "~"

// Get implements store.Store. A blob that is no regular file, or larger than
// any that Put writes, is damaged.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := store.CheckKey(key); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	value, err := s.read(key)
	var damage *store.DamagedError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%q: %w", key, store.ErrNotFound)
	case errors.As(err, &damage):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("state %s: get %q: %w", s.dir, key, err)
	}
	return value, nil
}

func (s *Store) read(key string) ([]byte, error) {
	name, err := s.locate(key)
	if err != nil {
		return nil, err
	}
	info, err := s.disk.stat(name)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, &store.DamagedError{Key: key, Why: "a symbolic link stands in its place"}
	}
	if !info.Mode().IsRegular() {
		return nil, &store.DamagedError{Key: key, Why: "something that is not a file stands in its place"}
	}
	value, err := s.disk.read(name, store.MaxBlobBytes)
	if err != nil {
		return nil, err
	}
	if len(value) > store.MaxBlobBytes {
		return nil, &store.DamagedError{Key: key, Why: fmt.Sprintf("it has more than %d bytes", store.MaxBlobBytes)}
	}
	return value, nil
}

// Put implements store.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := store.CheckBlob(key, value); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	name := blobName(key)
	if err := s.replace(name, value); err != nil {
		return fmt.Errorf("state %s: put %q: %w; the former value stays", s.dir, key, err)
	}
	// A folder that is gone was emptied by a later Delete.
	if err := s.disk.syncDir(path.Dir(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state %s: put %q: %w; it was written, but may not outlive a power loss", s.dir, key, err)
	}
	return nil
}

// replace puts a file that holds value in the place of name.
func (s *Store) replace(name string, value []byte) error {
	temp := tempDir + "/" + strconv.FormatUint(s.temps.Add(1), 10)
	err := s.disk.write(temp, value)
	if err == nil {
		err = s.rename(temp, name)
	}
	if err != nil {
		// On a full disk this gives back the space. What stays behind all
		// the same goes at the next Open.
		s.disk.remove(temp)
	}
	return err
}

// rename gives temp the name of a blob. No folder of the name goes meanwhile.
func (s *Store) rename(temp, name string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.ensureParents(name); err != nil {
		return err
	}
	return s.disk.rename(temp, name)
}

func (s *Store) ensureParents(name string) error {
	for _, dir := range parents(name) {
		if err := s.ensureDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := store.CheckKey(key); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	s.writing.Lock()
	defer s.writing.Unlock()
	name, err := s.locate(key)
	if err == nil {
		err = s.disk.remove(name)
	}
	if err == nil {
		err = s.disk.syncDir(path.Dir(name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state %s: delete %q: %w", s.dir, key, err)
	}
	s.prune(name)
	return nil
}

// prune removes the folders of name that became empty. One that has entries
// refuses to go, and so do those above it.
func (s *Store) prune(name string) {
	for _, dir := range slices.Backward(parents(name)) {
		if s.disk.remove(dir) != nil {
			return
		}
	}
}

// List implements store.Store. Files that are not blobs are passed over.
func (s *Store) List(ctx context.Context, prefix string) ([]string, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.end()
	// Only the folder that the prefix reaches into need be walked.
	folder := prefix[:strings.LastIndexByte(prefix, '/')+1]
	var keys []string
	err := s.walk(ctx, folder, func(key string) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("state %s: list %q: %w", s.dir, prefix, err)
	}
	slices.Sort(keys)
	return keys, nil
}

// walk calls visit with the keys below folder, which is empty or ends in a
// slash, in no certain order.
func (s *Store) walk(ctx context.Context, folder string, visit func(key string)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.locate(folder + "x"); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	entries, err := s.disk.entries(path.Join(blobsDir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was pruned meanwhile
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, isBlob := strings.CutSuffix(entry.Name(), blobMark)
		key := folder + name
		switch {
		case store.CheckKey(key) != nil:
		case isBlob:
			visit(key)
		case entry.IsDir():
			if err := s.walk(ctx, key+"/", visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// locate returns the file name of key after making sure that no symbolic link
// stands in for one of its folders. fs.ErrNotExist: a folder is missing.
func (s *Store) locate(key string) (string, error) {
	name := blobName(key)
	for _, dir := range parents(name) {
		info, err := s.disk.stat(dir)
		if err != nil {
			return "", err
		}
		if err := mustBeDir(dir, info); err != nil {
			return "", err
		}
	}
	return name, nil
}

func blobName(key string) string { return blobsDir + "/" + key + blobMark }

// parents returns the folders of a blob's name below blobs/, outermost first.
func parents(name string) []string {
	var dirs []string
	for i := len(blobsDir) + 1; i < len(name); i++ {
		if name[i] == '/' {
			dirs = append(dirs, name[:i])
		}
	}
	return dirs
}

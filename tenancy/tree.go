package tenancy

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// ReadTree reads the tenant files that include names, by id. fsys is the folder
// of the main file. Faults of the patterns go to r; a file that cannot be read,
// or whose id another file has, is returned with its Err, because it costs its
// own tenant alone. Hidden files are passed over, as shells do: editors keep
// their locks and copies there. unmatched are the patterns that match no file.
func ReadTree(fsys fs.FS, include conf.List[string], r *conf.Report) (files []TenantFile, unmatched []string) {
	var all []string
	for _, item := range include.Items {
		paths, ok := match(fsys, item, r)
		if ok && len(paths) == 0 {
			unmatched = append(unmatched, item.V)
		}
		all = append(all, paths...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	files = make([]TenantFile, len(all))
	for i, p := range all {
		f := &files[i]
		f.ID, f.Path = strings.TrimSuffix(path.Base(p), path.Ext(p)), p
		f.Text, f.Err = readTenantFile(fsys, p)
		if len(f.Text) > tenantFileBytesMax {
			f.Text, f.Err = nil, fmt.Errorf("it has more than %d bytes", tenantFileBytesMax)
		}
	}
	slices.SortFunc(files, func(a, b TenantFile) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Path, b.Path))
	})
	return distinctIDs(files), unmatched
}

// match returns the files that a pattern names.
func match(fsys fs.FS, pattern conf.At[string], r *conf.Report) (paths []string, ok bool) {
	clean := path.Clean(pattern.V)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		r.Fault(pattern.Pos, "", "include %q leads out of the main file's folder; tenant files are in it", pattern.V)
		return nil, false
	}
	found, err := fs.Glob(fsys, clean)
	if err != nil {
		r.Fault(pattern.Pos, "", "include %q is not a pattern; write it like %q", pattern.V, "tenants/*.yaml")
		return nil, false
	}
	for _, p := range found {
		info, err := fs.Stat(fsys, p)
		hidden := strings.HasPrefix(path.Base(p), ".")
		if p == clean && err == nil && info.IsDir() {
			r.Fault(pattern.Pos, fmt.Sprintf("write it like %q", path.Join(clean, "*.yaml")), "include %q is a folder; expected a pattern of files", pattern.V)
			return nil, false
		}
		if !hidden && (err != nil || !info.IsDir()) {
			paths = append(paths, p)
		}
	}
	return paths, true
}

// sharer is a file system that knows the text of its files and hands it out
// without a copy, to whoever only reads it.
type sharer interface {
	ReadShared(name string) ([]byte, error)
}

// tenantFileBytesMax bounds a tenant file. Decoded it takes up to two hundred
// times its size when it is made for that, and one tenant must not be able to
// fill the memory of all; a tenant of a thousand hosts has some 100 KiB.
const tenantFileBytesMax = 2 << 20

// readTenantFile reads a file, no further than its bound.
func readTenantFile(fsys fs.FS, name string) ([]byte, error) {
	if known, ok := fsys.(sharer); ok {
		return known.ReadShared(name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, tenantFileBytesMax+1))
}

// twinError says that another file has the same id.
type twinError struct{ path, id string }

// Error returns the text of the finding.
func (e *twinError) Error() string {
	return fmt.Sprintf("%s is a file of the same tenant %q; expected one", e.path, e.id)
}

// distinctIDs keeps one file of each id. Where several have it, none of them is
// known to be the one that is meant.
func distinctIDs(files []TenantFile) []TenantFile {
	distinct := files[:0]
	for i := range files {
		last := len(distinct) - 1
		if last < 0 || distinct[last].ID != files[i].ID {
			distinct = append(distinct, files[i])
			continue
		}
		distinct[last].Err = &twinError{files[i].Path, files[i].ID}
	}
	return distinct
}

package tenancy

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"gatehouse/internal/conf"
)

// referencedBytesMax bounds a file that a tenant names: a bundle of all public
// authorities has a quarter of it.
const referencedBytesMax = 1 << 20

// reference is a file that a build read, and what it then held.
type reference struct {
	path   string      // as written
	secret conf.Secret // of the main file, in place of path
	digest [sha256.Size]byte
	text   []byte // kept for authorities, pages and users alone, so that a lost file costs nothing that runs
}

// pathError says that a path may not be named where it stands.
type pathError struct{ text string }

// Error returns what is wrong, as the end of a sentence that names the path.
func (e *pathError) Error() string { return e.text }

// readFile reads a file that the tenant's text names, and remembers what it
// held.
func (b *builder) readFile(name string) ([]byte, error) {
	text, err := b.v.read(b.w.in, name)
	b.files = append(b.files, reference{path: name, digest: digestOf(text, err)})
	return text, err
}

// digestOf tells contents apart, and a file that cannot be read from all of
// them.
func digestOf(text []byte, err error) [sha256.Size]byte {
	if err != nil {
		return [sha256.Size]byte{}
	}
	return sha256.Sum256(text)
}

// readCA is readFile for the authorities of a backend. The file of a text that
// was accepted before may be gone or cut short since; what it held then counts.
func (b *builder) readCA(at conf.At[string]) ([]byte, error) {
	text, err := b.readFile(at.V)
	if b.leniency == lenient && b.former != nil && (err != nil || !x509.NewCertPool().AppendCertsFromPEM(text)) {
		if kept := b.former.kept(at.V); kept != nil {
			b.report.Warn(at.Pos, "what it held before stays in use", "ca %q holds no certificate any more", at.V)
			text, err = kept, nil
		}
	}
	b.files[len(b.files)-1].text = text
	return text, err
}

// kept returns what a file held for this build, of those whose text it keeps.
func (b *build) kept(name string) []byte {
	for i := range b.files {
		if b.files[i].path == name && b.files[i].text != nil {
			return b.files[i].text
		}
	}
	return nil
}

// read reads a file by the rules for whoever names it: the main file may name
// any, a tenant file only what lies in the main file's folder.
func (v *version) read(in *Input, name string) ([]byte, error) {
	if v.inline && in.ReadMain != nil {
		return in.ReadMain(name)
	}
	file, err := v.resolve(name)
	if err != nil {
		return nil, err
	}
	f, err := in.FS.Open(file)
	if err != nil {
		return nil, plainError(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, referencedBytesMax+1))
	if err != nil {
		return nil, plainError(err)
	}
	if len(text) > referencedBytesMax {
		return nil, fmt.Errorf("it has more than %d bytes", referencedBytesMax)
	}
	return text, nil
}

// secretsDir is where the secrets of tenant files are, each tenant's in a
// folder of its own.
const secretsDir = "secrets"

// resolve turns a path as written into one below the main file's folder. Links
// are followed by the file system, which does not leave that folder.
func (v *version) resolve(name string) (string, error) {
	if path.IsAbs(name) || strings.ContainsRune(name, '\\') {
		return "", &pathError{"it is absolute; a tenant file names files by their path from where it is itself"}
	}
	file := path.Join(v.dir, name)
	if file == ".." || strings.HasPrefix(file, "../") {
		return "", &pathError{"it leaves the main file's folder"}
	}
	if strings.HasPrefix(file, secretsDir+"/") && !strings.HasPrefix(file, v.secrets()) {
		return "", &pathError{fmt.Sprintf("it is not below %s, where this tenant's secrets are", v.secrets())}
	}
	return file, nil
}

// secrets returns the folder of the tenant's own secrets.
func (v *version) secrets() string { return secretsDir + "/" + v.id + "/" }

// readKey reads a private key. In a tenant file it is a file in the tenant's
// own folder.
func (b *builder) readKey(spec *conf.Secret) ([]byte, error) {
	if b.v.inline && b.w.in.ReadSecret != nil {
		text, err := b.w.in.ReadSecret(*spec)
		b.files = append(b.files, reference{secret: *spec, digest: digestOf(text, err)})
		return text, err
	}
	if !spec.File.Set() {
		return nil, &pathError{"a tenant's key is kept in a file below " + b.v.secrets()}
	}
	file, err := b.v.resolve(spec.File.V)
	if err == nil && !b.v.inline && !strings.HasPrefix(file, b.v.secrets()) {
		err = &pathError{fmt.Sprintf("it is not below %s beside the main file", b.v.secrets())}
	}
	if err != nil {
		return nil, err
	}
	return b.readFile(spec.File.V)
}

// plainError returns the cause alone: the path stands in the finding as it is
// written.
func plainError(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// filesChanged reports whether a file that b read holds something else now.
func (b *build) filesChanged(in *Input, v *version) bool {
	for i := range b.files {
		f := &b.files[i]
		var text []byte
		var err error
		if f.path == "" {
			text, err = in.ReadSecret(f.secret)
		} else {
			text, err = v.read(in, f.path)
		}
		if digestOf(text, err) != f.digest {
			return true
		}
	}
	return false
}

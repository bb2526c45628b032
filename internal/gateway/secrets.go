package gateway

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"gatehouse/internal/conf"
	"gatehouse/internal/store"
)

// secretBytesMax bounds a file that the main file names: the largest are
// bundles of authorities, and a public one has a quarter of it.
const secretBytesMax = 1 << 20

// readSecret reads what a reference of the main file names. base is the main
// file's folder.
func readSecret(s *conf.Secret, base string) ([]byte, error) {
	switch {
	case s.Env.Set():
		value, ok := os.LookupEnv(s.Env.V)
		if !ok {
			return nil, fmt.Errorf("the environment has no variable %s", s.Env.V)
		}
		return []byte(value), nil
	case s.Credential.Set():
		dir := os.Getenv("CREDENTIALS_DIRECTORY") // systemd.exec(5), LoadCredential=
		if dir == "" || s.Credential.V != filepath.Base(s.Credential.V) {
			return nil, fmt.Errorf("credential %q is not passed to the process; add LoadCredential=%s:FILE to the unit", s.Credential.V, s.Credential.V)
		}
		return readBounded(filepath.Join(dir, s.Credential.V))
	}
	return readBounded(within(base, s.File.V))
}

// readBounded reads a file that the main file names.
func readBounded(path string) ([]byte, error) { return readRegular(path, secretBytesMax) }

// readRegular reads a file of most bytes at most. A pipe is refused: to read it
// would wait for whoever writes to it.
func readRegular(path string, most int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("it is not a file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > most {
		return nil, &os.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", most)}
	}
	return text, nil
}

// within resolves a path of the main file, which may be relative to its folder.
func within(base, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(base, path)
}

// checkSecrets judges the secrets that a start needs, as far as whoever checks
// may read them.
func (l *loader) checkSecrets(c *Config, r *conf.Report) {
	for i := range c.Seal.Items {
		l.checkSecret("seal", &c.Seal.Items[i].V, r, func(text []byte) error {
			_, err := store.ParseKey(text)
			return err
		})
	}
	if a := c.Listen.Admin; a != nil && a.Token != nil {
		l.checkSecret("the admin token", a.Token, r, func(text []byte) error {
			_, err := parseToken(text)
			return err
		})
	}
}

func (l *loader) checkSecret(name string, s *conf.Secret, r *conf.Report, parse func([]byte) error) {
	text, err := readSecret(s, l.base())
	if err != nil {
		r.Note(secretPos(s), "", "%s is not readable here; what it holds was not checked", name)
		return
	}
	if err := parse(text); err != nil {
		r.Fault(secretPos(s), "", "%s: %v", name, err)
	}
}

// secretPos returns where a secret's place is written.
func secretPos(s *conf.Secret) conf.Pos {
	for _, at := range []conf.At[string]{s.File, s.Env, s.Credential} {
		if at.Set() {
			return at.Pos
		}
	}
	return conf.Pos{}
}

// parseToken returns a bearer token without the white space around it.
func parseToken(text []byte) (string, error) {
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", errors.New("it is empty; expected a long random word")
	}
	return token, nil
}

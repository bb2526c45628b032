package password

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// UsersMost bounds a list of users: beyond it there is a directory that should be
// asked.
const UsersMost = 1000

// User is a name with its hash. It is immutable.
type User struct {
	Name string
	Hash *Hash
}

// Users is an immutable list.
type Users struct {
	byName map[string]*User
	sorted []*User
	digest [sha256.Size]byte
}

// NewUsers returns the list of these users, who have different names. It has one
// at least.
func NewUsers(hashes map[string]*Hash) *Users {
	u := &Users{byName: make(map[string]*User, len(hashes))}
	d := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		user := &User{name, hashes[name]}
		u.byName[name] = user
		u.sorted = append(u.sorted, user)
		d.Write([]byte(name))
		d.Write([]byte{0})
		d.Write(user.Hash.digest[:])
	}
	u.digest = [sha256.Size]byte(d.Sum(nil))
	return u
}

// Find returns the user of that name. Where there is none it returns another
// one with false: the password is to be checked against that one's hash, and
// refused. It is always the same one for the same name, so that a name that does
// not exist takes the time of one that does, also where hashes differ in cost;
// which one cannot be known without the hashes.
func (u *Users) Find(name []byte) (user *User, known bool) {
	if user := u.byName[string(name)]; user != nil {
		return user, true
	}
	d := sha256.New()
	d.Write(u.digest[:])
	d.Write(name)
	n := binary.BigEndian.Uint64(d.Sum(nil))
	return u.sorted[n%uint64(len(u.sorted))], false
}

// Known returns the user of that name, nil for nobody.
func (u *Users) Known(name string) *User { return u.byName[name] }

// Names returns all names, sorted.
func (u *Users) Names() []string {
	names := make([]string, len(u.sorted))
	for i, user := range u.sorted {
		names[i] = user.Name
	}
	return names
}

// Digest is equal for two lists only if their users and hashes are.
func (u *Users) Digest() [sha256.Size]byte { return u.digest }

// CheckName says what is wrong with a user's name; nil for a good one.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > NameBytesMax:
		return fmt.Errorf("the name has more than %d bytes", NameBytesMax)
	case strings.Contains(name, ":"):
		return errors.New("a name with a colon, which basic authentication cannot carry")
	case hasControl([]byte(name)):
		return errors.New("a name with a control character, which basic authentication cannot carry")
	}
	return nil
}

// LineError says what is wrong with a line of a file of users.
type LineError struct {
	Line int // from 1
	Err  error
}

// Error names the line and never quotes it.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// ParseFile reads a file of users as htpasswd writes it: NAME:HASH on each line.
// Empty lines, and those that begin with #, say nothing.
func ParseFile(text []byte) (*Users, error) {
	hashes := make(map[string]*Hash)
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := addLine(hashes, string(line)); err != nil {
			return nil, &LineError{n, err}
		}
	}
	if len(hashes) == 0 {
		return nil, errors.New("it names no user")
	}
	return NewUsers(hashes), nil
}

func addLine(hashes map[string]*Hash, line string) error {
	name, text, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("no colon; expected NAME:HASH")
	}
	if err := CheckName(name); err != nil {
		return err
	}
	if hashes[name] != nil {
		return errors.New("a name that an earlier line has")
	}
	if len(hashes) >= UsersMost {
		return fmt.Errorf("more than %d users", UsersMost)
	}
	hash, err := Parse(text)
	if err != nil {
		return err
	}
	hashes[name] = hash
	return nil
}

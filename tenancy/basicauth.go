package tenancy

import (
	"errors"
	"fmt"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/password"
)

// BasicAuthSpec is the basic authentication of a level as written. It does not
// merge: each level's stands alone, and all must admit.
type BasicAuthSpec struct {
	Pos       conf.Pos
	Realm     conf.At[string]               `conf:"realm" default:"Restricted" doc:"what browsers show to those who are asked; printable ASCII" example:"night shift"`
	Users     conf.Map[conf.At[HashedSpec]] `conf:"users,one" doc:"names, each with a bcrypt or argon2id hash of its password, as gatehouse hash-password makes them" example:"{ops: $2a$12$7TYYph8qZvRJVdSS1jHKi.ghDx0D8QY5l/9tQfe8rgk.C3FktG56m}"`
	UsersFile conf.At[string]               `conf:"users_file,one" doc:"a file of them, NAME:HASH on each line as htpasswd writes it; in a tenant file it is below secrets/TENANT/ beside the main file" example:"../secrets/acme/users"`
}

// HashedSpec is a password's hash as written. Its text is not kept, and no
// finding quotes it: it may be a password.
type HashedSpec struct{ hash *password.Hash }

// ConfType describes hashes.
func (*HashedSpec) ConfType() conf.Type {
	return conf.Type{
		Name:    "hashed password",
		Unit:    "bcrypt of cost 10 to 14, or argon2id",
		Pattern: `^\$(2[aby]|argon2id)\$.+$`,
		Example: "$2a$12$7TYYph8qZvRJVdSS1jHKi.ghDx0D8QY5l/9tQfe8rgk.C3FktG56m",
		Private: true,
	}
}

// ParseConf reads a bcrypt or argon2id hash.
func (s *HashedSpec) ParseConf(text string) error {
	if strings.HasPrefix(text, "$argon2id$") && !strings.Contains(text, ",") {
		return &conf.Refusal{Text: "an argon2id hash that ends before its first comma; expected all of it", Hint: "put it in quotes: between { and } a comma ends a value"}
	}
	hash, err := password.Parse(text)
	if err != nil {
		return &conf.Refusal{Text: err.Error(), Hint: hashHint}
	}
	s.hash = hash
	return nil
}

// hashHint says how to make a hash.
const hashHint = "make one with gatehouse hash-password"

// realmBytesMax bounds a realm: browsers show a line of it.
const realmBytesMax = 128

// realmBuiltin names no tenant: whoever is asked may be anybody.
const realmBuiltin = "Restricted"

// CheckConf judges realm and names.
func (s *BasicAuthSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if at := s.Realm; at.Set() && (at.V == "" || len(at.V) > realmBytesMax || strings.Trim(at.V, realmCharacters) != "") {
		r.Fault(at.Pos, "", "realm is %q; expected 1 to %d characters of ASCII without quotes and backslashes", at.V, realmBytesMax)
	}
	for i := range s.Users {
		if err := password.CheckName(s.Users[i].Key); err != nil {
			r.Fault(s.Users[i].Pos, "", "user %q: %v", s.Users[i].Key, err)
		}
	}
	switch n := len(s.Users); {
	case n > password.UsersMost:
		r.Fault(s.Users[password.UsersMost].Pos, "", "%d users; expected at most %d", n, password.UsersMost)
	case n == 0 && !s.UsersFile.Set():
		r.Fault(s.Pos, "", "users names nobody, so nobody could come in; expected at least one")
	}
}

// realmCharacters may stand in a quoted string as they are (RFC 9110 section
// 5.6.4).
const realmCharacters = " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// guard compiles the authentication of one level once; nil where the level says
// nothing.
func (b *builder) guard(name string, spec *BasicAuthSpec) *Guard {
	if spec == nil {
		return nil
	}
	if done, ok := b.guards[spec]; ok {
		return done
	}
	g := &Guard{name: name, pos: spec.Pos}
	g.challenge = fmt.Sprintf(`Basic realm="%s", charset="UTF-8"`, spec.Realm.Or(realmBuiltin))
	if spec.UsersFile.Set() {
		g.users = b.readUsers(spec.UsersFile)
	} else {
		hashes := make(map[string]*password.Hash, len(spec.Users))
		for i := range spec.Users {
			if hash := spec.Users[i].V.V.hash; hash != nil {
				hashes[spec.Users[i].Key] = hash
			}
		}
		if len(hashes) > 0 { // otherwise reading it was a fault
			g.users = password.NewUsers(hashes)
		}
	}
	b.guards[spec] = g
	return g
}

// readUsers reads a file of users. Nil where that is a fault, and where the file
// need not be readable.
func (b *builder) readUsers(at conf.At[string]) *password.Users {
	text, err := b.readUsersFile(at.V)
	rule := new(pathError)
	if err != nil && !errors.As(err, &rule) && b.w.in.Keys == NoteIfUnreadable {
		b.report.Note(at.Pos, "", "users_file %q cannot be read: %v; its users are not checked", at.V, err)
		return nil
	}
	if err != nil {
		if kept := b.keptUsers(at); kept != nil {
			return kept
		}
		b.report.Fault(at.Pos, "", "users_file %q cannot be read: %v", at.V, err)
		return nil
	}
	users, err := password.ParseFile(text)
	if err == nil {
		b.files[len(b.files)-1].text = text
		return users
	}
	if kept := b.keptUsers(at); kept != nil {
		return kept
	}
	hint := ""
	if errors.As(err, new(*password.LineError)) {
		hint = hashHint
	}
	b.report.Fault(at.Pos, hint, "users_file %q: %v", at.V, err)
	return nil
}

// keptUsers are those that the file of a text that was accepted before held; nil
// where there is nothing to go on with, or no need to.
func (b *builder) keptUsers(at conf.At[string]) *password.Users {
	if b.leniency != lenient || b.former == nil {
		return nil
	}
	text := b.former.kept(at.V)
	if text == nil {
		return nil
	}
	users, err := password.ParseFile(text)
	if err != nil {
		return nil
	}
	b.files = append(b.files, reference{path: at.V, text: text})
	b.report.Warn(at.Pos, "who it named before stays in use", "users_file %q names no users any more", at.V)
	return users
}

// readUsersFile reads a file of users: in a tenant file one of the tenant's own
// secrets.
func (b *builder) readUsersFile(name string) ([]byte, error) {
	if !b.v.inline {
		file, err := b.v.resolve(name)
		if err == nil && !strings.HasPrefix(file, b.v.secrets()) {
			err = &pathError{fmt.Sprintf("it is not below %s beside the main file", b.v.secrets())}
		}
		if err != nil {
			return nil, err
		}
	}
	return b.readFile(name)
}

package password

import (
	"crypto/sha256"
	"log/slog"
	"strings"
)

// Hash is a password's hash as it is written, read. It is immutable. However it
// is printed or logged, only the name of its algorithm shows.
type Hash struct {
	algorithm string
	digest    [sha256.Size]byte // of the text
	matches   func(password []byte) bool
}

// KindError says that a text is no hash that is taken.
type KindError struct{ What string }

// Error returns what the text is, without the text, and what is expected.
func (e *KindError) Error() string { return e.What + "; expected a bcrypt or argon2id hash" }

// Parse reads a bcrypt hash ($2a$, $2b$, $2y$) or an argon2id hash in PHC form.
// Its error is a [KindError], or says which parameter is out of bounds; it never
// holds the text.
func Parse(text string) (*Hash, error) {
	h := &Hash{digest: sha256.Sum256([]byte(text))}
	var err error
	switch {
	case isBcrypt(text):
		h.algorithm = "bcrypt"
		h.matches, err = parseBcrypt(text)
	case strings.HasPrefix(text, argon2idPrefix):
		h.algorithm = "argon2id"
		h.matches, err = parseArgon2id(text)
	default:
		err = &KindError{kindOf(text)}
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Matches reports whether password is the one that was hashed. That takes as
// long as the hash's parameters say, up to a second on one processor, or on as
// many as an argon2id hash has lanes; it compares in constant time.
func (h *Hash) Matches(password []byte) bool { return h.matches(password) }

// Digest is equal for two hashes only if they are written alike.
func (h *Hash) Digest() [sha256.Size]byte { return h.digest }

// String returns the algorithm alone.
func (h *Hash) String() string { return "[redacted " + h.algorithm + "]" }

// GoString keeps %#v from printing the fields.
func (h *Hash) GoString() string { return h.String() }

// LogValue is what slog prints.
func (h *Hash) LogValue() slog.Value { return slog.StringValue(h.String()) }

// kinds are hashes that other programs take, by how they begin.
var kinds = []struct{ prefix, what string }{
	{"$1$", "an MD5 crypt hash ($1$)"},
	{"$apr1$", "an MD5 hash of Apache's ($apr1$)"},
	{"$2x$", "a bcrypt hash of a version with a known mistake ($2x$)"},
	{"$2", "a malformed bcrypt hash"},
	{"$5$", "a SHA-256 crypt hash ($5$)"},
	{"$6$", "a SHA-512 crypt hash ($6$)"},
	{"$7$", "an scrypt hash ($7$)"},
	{"$scrypt$", "an scrypt hash"},
	{"$y$", "a yescrypt hash ($y$)"},
	{"$pbkdf2", "a PBKDF2 hash"},
	{"$argon2i$", "an argon2i hash"},
	{"$argon2d$", "an argon2d hash"},
	{"{SHA}", "a SHA-1 hash ({SHA})"},
	{"{SSHA}", "a salted SHA-1 hash ({SSHA})"},
	{"{", "a hash as directories write it"},
	{"$", "a hash of an unknown kind"},
}

// kindOf says what a text is that is not taken.
func kindOf(text string) string {
	for _, k := range kinds {
		if strings.HasPrefix(text, k.prefix) {
			return k.what
		}
	}
	return "no hash; a password itself may not stand there"
}

package password

import (
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// BytesMax bounds a password: no phrase that somebody types or keeps is longer,
// and its hashing costs no more for it.
const BytesMax = 512

var (
	errEmpty   = errors.New("the password is empty")
	errLong    = fmt.Errorf("the password has more than %d bytes", BytesMax)
	errControl = errors.New("the password has a control character, which basic authentication cannot carry")
	errTooLong = fmt.Errorf("the password has more than %d bytes, and bcrypt reads no more; use argon2id", bcryptBytesMax)
	errBadCost = fmt.Errorf("the cost is %d to %d", BcryptCostLeast, BcryptCostMax)
	errNotMade = errors.New("no hash was made")
)

// Bcrypt makes a hash of a password at a cost from BcryptCostLeast to
// BcryptCostMax.
func Bcrypt(password []byte, cost int) (string, error) {
	switch err := check(password); {
	case err != nil:
		return "", err
	case len(password) > bcryptBytesMax:
		return "", errTooLong
	case cost < BcryptCostLeast || cost > BcryptCostMax:
		return "", errBadCost
	}
	hash, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNotMade, err)
	}
	return string(hash), nil
}

// Argon2id makes a hash of a password with 19 MiB and two passes.
func Argon2id(password []byte) (string, error) {
	if err := check(password); err != nil {
		return "", err
	}
	a := argon2id{memory: argonMemoryUsual, passes: argonPassesUsual, lanes: 1, salt: make([]byte, argonSaltUsual)}
	rand.Read(a.salt)
	a.key = argon2.IDKey(password, a.salt, a.passes, a.memory, uint8(a.lanes), argonKeyUsual)
	return a.String(), nil
}

// check refuses what no client could send.
func check(password []byte) error {
	switch {
	case len(password) == 0:
		return errEmpty
	case len(password) > BytesMax:
		return errLong
	case hasControl(password):
		return errControl
	}
	return nil
}

// hasControl reports control characters, which RFC 7617 section 2 forbids in
// names and passwords.
func hasControl(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

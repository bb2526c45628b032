package password

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

const (
	// BcryptCostLeast is what OWASP's password storage cheat sheet asks for:
	// some 60 ms a guess.
	BcryptCostLeast = 10
	// BcryptCostMax is about a second of one processor, the longest that a login
	// may take of a tenant's turn; each step doubles it.
	BcryptCostMax = 14
	// BcryptCostUsual is what new hashes have.
	BcryptCostUsual = 12
	// bcryptBytesMax is how much of a password bcrypt reads. A longer one would
	// match whatever follows.
	bcryptBytesMax = 72
	// bcryptBytes is the length of a hash: version, cost, 22 characters of salt
	// and 31 of hash.
	bcryptBytes = 60
)

// bcryptAlphabet is the base64 of bcrypt.
const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// isBcrypt reports whether text has the form of a hash by a version without
// known mistakes. The versions differ in nothing that matters here.
func isBcrypt(text string) bool {
	if len(text) != bcryptBytes || text[0] != '$' || text[1] != '2' || text[3] != '$' || text[6] != '$' {
		return false
	}
	return strings.IndexByte("aby", text[2]) >= 0 && isDigit(text[4]) && isDigit(text[5]) &&
		strings.Trim(text[7:], bcryptAlphabet) == ""
}

func isDigit(c byte) bool { return c-'0' < 10 }

func parseBcrypt(text string) (matches func([]byte) bool, err error) {
	cost := int(text[4]-'0')*10 + int(text[5]-'0')
	if cost < BcryptCostLeast || cost > BcryptCostMax {
		return nil, fmt.Errorf("a bcrypt hash of cost %d; expected %d to %d", cost, BcryptCostLeast, BcryptCostMax)
	}
	hash := []byte(text)
	return func(password []byte) bool {
		long := len(password) > bcryptBytesMax
		if long {
			password = password[:bcryptBytesMax]
		}
		return bcrypt.CompareHashAndPassword(hash, password) == nil && !long
	}, nil
}

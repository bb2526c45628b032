package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	// argonMemoryMax is what RFC 9106 section 4 recommends where memory is short,
	// in KiB. A check holds it for as long as it takes.
	argonMemoryMax = 64 << 10
	// argonWorkMax bounds passes times memory, in KiB: four passes over the
	// most, as PHP does, about a third of a second.
	argonWorkMax = 4 * argonMemoryMax
	// argonMemoryLeast and argonWorkLeast are the smallest of the settings that
	// OWASP's password storage cheat sheet takes for equally strong: 7 MiB with
	// five passes.
	argonMemoryLeast = 7 << 10
	argonWorkLeast   = 5 * argonMemoryLeast
	// argonLanesMax is what RFC 9106 recommends. Each lane may use a processor.
	argonLanesMax = 4
	// argonSaltLeast and argonSaltMax are bytes: RFC 9106 section 3.1 wants 8,
	// and recommends 16.
	argonSaltLeast = 8
	argonSaltMax   = 64
	// argonKeyLeast and argonKeyMax are bytes of the hash itself: 128 bits are
	// what RFC 9106 recommends at least.
	argonKeyLeast = 16
	argonKeyMax   = 64
)

// What new hashes have: the second setting of OWASP's sheet, which a small
// machine can afford for a hundred users who come at once.
const (
	argonMemoryUsual = 19 << 10
	argonPassesUsual = 2
	argonSaltUsual   = 16
	argonKeyUsual    = 32
)

const argon2idPrefix = "$argon2id$"

// argon2id is a hash with its parameters.
type argon2id struct {
	memory, passes, lanes uint32 // memory in KiB
	salt, key             []byte
}

var errArgonForm = errors.New("a malformed argon2id hash; expected $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH")

// argonEncoding is the base64 of PHC strings: without padding, and without
// bits that say nothing.
var argonEncoding = base64.RawStdEncoding.Strict()

// parseArgon2id reads "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH" (the PHC string
// format). Other versions, and the parameters keyid and data, are not taken.
func parseArgon2id(text string) (matches func([]byte) bool, err error) {
	parts := strings.Split(text, "$")
	if len(parts) != 6 || len(text) > len(argon2idPrefix)+argonTextMax {
		return nil, errArgonForm
	}
	if parts[2] != "v=19" {
		return nil, errors.New("an argon2id hash of another version; expected v=19")
	}
	var a argon2id
	if !a.readParameters(parts[3]) {
		return nil, errArgonForm
	}
	if a.salt, err = argonEncoding.DecodeString(parts[4]); err != nil {
		return nil, errArgonForm
	}
	if a.key, err = argonEncoding.DecodeString(parts[5]); err != nil {
		return nil, errArgonForm
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	return a.matches, nil
}

// argonTextMax bounds the text behind its prefix: parameters, and salt and hash
// of twice the greatest length.
const argonTextMax = 512

// readParameters reads "m=19456,t=2,p=1", in this order.
func (a *argon2id) readParameters(text string) bool {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return false
	}
	for i, into := range []*uint32{&a.memory, &a.passes, &a.lanes} {
		number, ok := strings.CutPrefix(fields[i], "mtp"[i:i+1]+"=")
		n, err := strconv.ParseUint(number, 10, 31)
		if !ok || err != nil || strconv.FormatUint(n, 10) != number {
			return false
		}
		*into = uint32(n)
	}
	return true
}

// check holds the parameters to their bounds.
func (a *argon2id) check() error {
	work := uint64(a.memory) * uint64(a.passes)
	switch {
	case a.memory < argonMemoryLeast || a.memory > argonMemoryMax:
		return fmt.Errorf("an argon2id hash with m=%d; expected %d to %d KiB of memory", a.memory, argonMemoryLeast, argonMemoryMax)
	case work < argonWorkLeast || work > argonWorkMax:
		return fmt.Errorf("an argon2id hash with m=%d,t=%d; expected t so that m times t is %d to %d", a.memory, a.passes, argonWorkLeast, argonWorkMax)
	case a.lanes < 1 || a.lanes > argonLanesMax:
		return fmt.Errorf("an argon2id hash with p=%d; expected 1 to %d lanes", a.lanes, argonLanesMax)
	case len(a.salt) < argonSaltLeast || len(a.salt) > argonSaltMax:
		return fmt.Errorf("an argon2id hash with a salt of %d bytes; expected %d to %d", len(a.salt), argonSaltLeast, argonSaltMax)
	case len(a.key) < argonKeyLeast || len(a.key) > argonKeyMax:
		return fmt.Errorf("an argon2id hash of %d bytes; expected %d to %d", len(a.key), argonKeyLeast, argonKeyMax)
	}
	return nil
}

func (a *argon2id) matches(password []byte) bool {
	key := argon2.IDKey(password, a.salt, a.passes, a.memory, uint8(a.lanes), uint32(len(a.key)))
	return subtle.ConstantTimeCompare(key, a.key) == 1
}

// String writes the hash as parseArgon2id reads it.
func (a *argon2id) String() string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argon2idPrefix, argon2.Version, a.memory, a.passes, a.lanes,
		argonEncoding.EncodeToString(a.salt), argonEncoding.EncodeToString(a.key))
}

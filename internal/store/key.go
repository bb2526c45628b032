package store

import (
	"fmt"
	"strings"
)

// KeyError says why Key is not one. It matches ErrKey.
type KeyError struct {
	Key string
	Why string
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("%q is not a key of the store: %s", e.Key, e.Why)
}

// Is makes errors.Is(err, ErrKey) hold.
func (e *KeyError) Is(target error) bool { return target == ErrKey }

// CheckKey returns a *KeyError unless key is one: segments separated by single
// slashes, each of the characters a-z 0-9 . _ - * @ and neither "." nor "..",
// none longer than MaxSegmentBytes, all together at most MaxKeyBytes.
//
// The alphabet is that of lower-case host names, wildcards and mail addresses:
// no two keys differ by case alone, and none needs escaping in a file name, an
// object store or a log line.
func CheckKey(key string) error {
	if why := badKey(key); why != "" {
		return keyError(key, why)
	}
	return nil
}

// CheckPrefix returns a *KeyError unless some key begins with prefix. The
// empty prefix is the beginning of all.
func CheckPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	// "a/" and "a/." are beginnings of "a/b" and "a/.b": whatever may still
	// follow is stood in for by one letter, where there is room for it.
	why := badKey(prefix)
	if why != "" && len(prefix) < MaxKeyBytes {
		why = badKey(prefix + "x")
	}
	if why != "" {
		return keyError(prefix, why)
	}
	return nil
}

// badKey returns why key is none, or "".
func badKey(key string) string {
	if key == "" {
		return "it is empty"
	}
	if len(key) > MaxKeyBytes {
		return fmt.Sprintf("it has more than %d bytes", MaxKeyBytes)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if why := badSegment(segment); why != "" {
			return why
		}
	}
	return ""
}

func badSegment(segment string) string {
	switch {
	case segment == "":
		return "it has an empty segment"
	case segment == "." || segment == "..":
		return "a segment is . or .."
	case len(segment) > MaxSegmentBytes:
		return fmt.Sprintf("a segment has more than %d bytes", MaxSegmentBytes)
	}
	for i := range len(segment) {
		if !isKeyByte(segment[i]) {
			return "only a-z, 0-9 and . _ - * @ may stand between slashes"
		}
	}
	return ""
}

func isKeyByte(b byte) bool {
	return 'a' <= b && b <= 'z' || '0' <= b && b <= '9' ||
		b == '.' || b == '_' || b == '-' || b == '*' || b == '@'
}

// keyError keeps what may be a stranger's string short enough for a log line.
func keyError(key, why string) error {
	if len(key) > MaxKeyBytes {
		key = key[:MaxKeyBytes]
	}
	return &KeyError{Key: key, Why: why}
}

package dns01

import (
	"fmt"
	"strings"
)

// Error says which record could not be written, by which provider, and why.
// Secrets of the provider do not show in it.
type Error struct {
	Provider string // the operator's name of it
	Doing    string // "add" or "remove"
	Name     string // of the record
	Text     string // why
	cause    error
}

// Error returns it in one line.
func (e *Error) Error() string {
	return fmt.Sprintf("dns provider %q: %s TXT of %s: %s", e.Provider, e.Doing, e.Name, e.Text)
}

// Unwrap returns nothing but the end of a context: other causes may quote
// credentials.
func (e *Error) Unwrap() error { return contextCause(e.cause) }

// quotedBytesMax bounds what an error quotes of a stranger: a sentence or two.
const quotedBytesMax = 300

// clip bounds a text and leaves out what a terminal would act on.
func clip(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > quotedBytesMax {
		text = strings.ToValidUTF8(text[:quotedBytesMax], "") + "…"
	}
	return strings.TrimSpace(text)
}

// redact takes secrets out of a text that goes to people: servers echo what
// they were sent.
func redact(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return clip(text)
}

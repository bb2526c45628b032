package conf

import (
	"encoding/json"
	"log/slog"
)

// Secret says where a secret is kept: in exactly one of a file, an environment
// variable and a systemd credential. However it is printed, marshalled or
// logged, only the kind of place shows.
type Secret struct {
	Whole
	File       At[string] `conf:"file,one" doc:"file that holds the secret" example:"secrets/acme/key.pem"`
	Env        At[string] `conf:"env,one" doc:"environment variable that holds the secret" example:"ACME_KEY"`
	Credential At[string] `conf:"credential,one" doc:"name of the systemd credential that holds the secret" example:"gatehouse-seal"`
}

// CheckConf demands that the place has a name.
func (s *Secret) CheckConf(_ Pos, r *Report) {
	for _, place := range []At[string]{s.File, s.Env, s.Credential} {
		if place.Set() && place.V == "" {
			r.Fault(place.Pos, "", "%q names no place; expected the name of where the secret is kept", place.V)
		}
	}
}

// String returns the kind of place, never its name.
func (s Secret) String() string {
	switch {
	case s.File.Set():
		return "[redacted file]"
	case s.Env.Set():
		return "[redacted env]"
	case s.Credential.Set():
		return "[redacted credential]"
	}
	return "[no secret]"
}

// GoString keeps %#v from printing the fields.
func (s Secret) GoString() string { return s.String() }

// MarshalJSON writes what String returns.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// LogValue is what slog prints.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

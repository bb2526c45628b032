package gateway

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/tlsconfig"
)

// readShared reads the certificates that the main file names, for all tenants.
// A pair that is bad now and was good before stays as it was, with a warning:
// a renewal that went wrong must not take hosts down.
func (l *loader) readShared(spec *tlsconfig.Spec, previous *loaded, r *conf.Report) shared {
	s := shared{internal: !spec.Certificates.Set()}
	for _, item := range spec.Certificates.Items {
		if item.V.Internal.V {
			s.internal = true
			continue
		}
		if !item.V.Cert.Set() || item.V.Key == nil {
			continue // said where it was decoded
		}
		source := item.V.Cert.V
		pair, err := l.readPair(&item.V)
		if err == nil {
			s.certificates = append(s.certificates, pair)
			continue
		}
		if names := l.namesWithoutKey(&item.V, err); names != nil {
			s.names = append(s.names, names...)
			r.Note(item.V.Cert.Pos, "", "the key of %q is not readable here; that it fits was not checked", source)
			continue
		}
		if former := previous.sharedPair(source); former != nil {
			s.certificates = append(s.certificates, former)
			r.Warn(item.V.Cert.Pos, "the former pair is presented until this one is mended", "%v", err)
			continue
		}
		r.Fault(item.V.Cert.Pos, "", "%v", err)
	}
	return s
}

func (l *loader) readPair(spec *tlsconfig.CertificateSpec) (*tlsconfig.Certificate, error) {
	cert, err := os.ReadFile(within(l.base(), spec.Cert.V))
	if err != nil {
		return nil, &unreadableError{"certificate", err}
	}
	key, err := readSecret(spec.Key, l.base())
	if err != nil {
		return nil, &unreadableError{"key", err}
	}
	return tlsconfig.ParsePair(spec.Cert.V, cert, key, time.Now())
}

// namesWithoutKey returns the names of a pair whose key may stay unread, and
// nil if err says anything else.
func (l *loader) namesWithoutKey(spec *tlsconfig.CertificateSpec, err error) []string {
	var unreadable *unreadableError
	if l.purpose == toRun || !errors.As(err, &unreadable) || unreadable.what != "key" {
		return nil
	}
	text, err := os.ReadFile(within(l.base(), spec.Cert.V))
	if err != nil {
		return nil
	}
	return tlsconfig.NamesIn(text)
}

// sharedPair returns the pair that was read from source, or nil.
func (l *loaded) sharedPair(source string) *tlsconfig.Certificate {
	if l == nil {
		return nil
	}
	i := slices.IndexFunc(l.shared.certificates, func(c *tlsconfig.Certificate) bool { return c.Source() == source })
	if i < 0 {
		return nil
	}
	return l.shared.certificates[i]
}

// unreadableError is a file or secret that could not be read.
type unreadableError struct {
	what string // "certificate" or "key"
	err  error
}

func (e *unreadableError) Error() string {
	var pathErr *fs.PathError
	if errors.As(e.err, &pathErr) {
		return e.what + " " + pathErr.Path + " cannot be read: " + pathErr.Err.Error()
	}
	return e.what + " cannot be read: " + e.err.Error()
}

func (e *unreadableError) Unwrap() error { return e.err }

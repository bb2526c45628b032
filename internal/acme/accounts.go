package acme

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"
)

// AccountStatus is an account with an authority, without its key.
type AccountStatus struct {
	CA         string    `json:"ca"` // as operators name it
	Directory  string    `json:"directory"`
	URL        string    `json:"url,omitempty"` // empty: not registered yet
	Email      string    `json:"email,omitempty"`
	Binding    string    `json:"binding,omitempty"` // key identifier of the external account
	Terms      string    `json:"terms,omitempty"`   // URL of the terms that were agreed to
	Key        string    `json:"key,omitempty"`     // SHA-256 of the public key, hexadecimal
	Registered time.Time `json:"registered,omitzero"`
	Rolled     time.Time `json:"rolled,omitzero"`   // when the key was last rolled over
	RollingTo  string    `json:"rolling,omitempty"` // SHA-256 of a key whose roll-over was cut off
}

// accounts lists the accounts of the settings, in the order in which the
// authorities are tried. It asks nobody.
func (e *engine) accounts(ctx context.Context) ([]AccountStatus, error) {
	var out []AccountStatus
	for _, ca := range e.authorities() {
		status := AccountStatus{CA: ca.Name, Directory: ca.Directory, Email: ca.email}
		if ca.eab != nil {
			status.Binding = ca.eab.keyID
		}
		a, err := e.storedAccount(ctx, ca)
		if err != nil {
			return nil, fmt.Errorf("read the account with %s: %w", ca.Name, err)
		}
		if a != nil {
			status.URL, status.Email, status.Binding, status.Terms = a.URL, a.Email, a.Binding, a.Terms
			status.Registered, status.Rolled = a.Registered, a.Rolled
			status.Key, status.RollingTo = fingerprint(a.Key), fingerprint(a.Next)
		}
		out = append(out, status)
	}
	return out, nil
}

// fingerprint identifies a private key by its public half.
func fingerprint(der []byte) string {
	if len(der) == 0 {
		return ""
	}
	key, err := parseKey(der)
	if err != nil {
		return "unreadable"
	}
	return publicDigest(key.Public())
}

func publicDigest(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "unreadable"
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

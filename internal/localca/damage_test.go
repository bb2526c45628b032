package localca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"gatehouse/internal/store"
)

func TestDamage(t *testing.T) {
	other := store.NewMem()
	openCA(t, other, at(start))
	foreignRoot := blob(t, other, rootKey)
	whole := store.NewMem()
	openCA(t, whole, at(start))
	root, intermediate := blob(t, whole, rootKey), blob(t, whole, intermediateKey)
	certAt := strings.Index(foreignRoot, "-----BEGIN PRIVATE")
	keyAt := strings.Index(root, "-----BEGIN PRIVATE")

	for _, test := range []struct {
		name, key, text   string
		newRoot, setAside bool
	}{
		{"root of zeros", rootKey, strings.Repeat("\x00", 500), true, true},
		{"empty root", rootKey, "", true, true},
		{"root cut off", rootKey, root[:len(root)/2], true, true},
		{"root without key", rootKey, root[:keyAt], true, true},
		{"root with another's key", rootKey, foreignRoot[:certAt] + root[keyAt:], true, true},
		{"root twice", rootKey, root + root, true, true},
		{"root that is a leaf", rootKey, leafText(t), true, true},
		{"intermediate of zeros", intermediateKey, strings.Repeat("\x00", 500), false, true},
		{"intermediate cut off", intermediateKey, intermediate[:300], false, true},
		{"intermediate of another root", intermediateKey, blob(t, other, intermediateKey), false, false},
		{"root of another intermediate", rootKey, foreignRoot, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			mem := store.NewMem()
			put(t, mem, rootKey, root)
			put(t, mem, intermediateKey, intermediate)
			put(t, mem, test.key, test.text)
			var text bytes.Buffer
			ca := openLogged(t, mem, at(start), &text)
			if got := blob(t, mem, rootKey) != root; got != test.newRoot {
				t.Errorf("new root: %v, want %v", got, test.newRoot)
			}
			said := strings.Contains(text.String(), "damaged state set aside") && strings.Contains(text.String(), test.key)
			if said != test.setAside {
				t.Errorf("said to be set aside: %v, want %v: %s", said, test.setAside, &text)
			}
			if test.newRoot && test.setAside && !strings.Contains(text.String(), "clients must trust it") {
				t.Errorf("the log does not say that clients must trust the new root: %s", &text)
			}
			cert, err := ca.Issue([]string{"a.example"})
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(ca, cert, "a.example", start); err != nil {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

func FuzzParsePairs(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	root, err := newRoot(start)
	if err != nil {
		f.Fatal(err)
	}
	good, _ := appendPair(nil, root.cert.Raw, root.key)
	bad, _ := appendPair(nil, root.cert.Raw, key)
	f.Add(good)
	f.Add(bad)
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pairs, err := parsePairs(text)
		for _, pair := range pairs {
			if err != nil || !pair.key.PublicKey.Equal(pair.cert.PublicKey) {
				t.Fatalf("parsePairs = %v, %v", pairs, err)
			}
		}
	})
}

func leafText(t *testing.T) string {
	t.Helper()
	cert, err := openCA(t, store.NewMem(), at(start)).Issue([]string{"a.example"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := appendPair(nil, cert.Leaf.Raw, cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

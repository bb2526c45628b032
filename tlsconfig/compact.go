package tlsconfig

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// issuersMost bounds the chains above a leaf that certificates share: public
// CAs issue from a few dozen intermediates. Those beyond it are kept once for
// each certificate.
const issuersMost = 256

// Packed is a certificate as it is stored.
type Packed struct {
	Chain  [][]byte // DER, leaf first
	Key    []byte   // the leaf's, PKCS #8 in DER
	Staple []byte   // an OCSP answer for the leaf (RFC 6960), in DER; nil for none
}

// packed is a certificate that holds little more than its bytes.
type packed struct {
	bytes  []byte // leaf and key, one after the other
	leaf   int    // how many of bytes are the leaf's
	above  [][]byte
	staple []byte

	decoded *Decoded
	live    atomic.Pointer[tls.Certificate] // nil while it is not decoded
	used    atomic.Bool                     // since the hand of decoded passed
}

// Compact returns a certificate that takes a quarter of the memory of one that is
// ready for handshakes; it is decoded at its first handshake and as long as
// decoded has room for it. What stands in p is checked as by [ParsePair], but
// for dates and for the certificates above the leaf, and copied.
func Compact(source string, p Packed, decoded *Decoded) (*Certificate, error) {
	c, err := compact(source, p, decoded)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return c, nil
}

func compact(source string, p Packed, decoded *Decoded) (*Certificate, error) {
	if n := len(p.Chain); n == 0 || n > maxChain {
		return nil, fmt.Errorf("%d certificates; expected the leaf and the chain that signed it, at most %d", n, maxChain)
	}
	pair, err := decodePair(p.Chain[0], p.Key)
	if err != nil {
		return nil, err
	}
	c, err := describeChain(source, pair.Leaf, p.Chain)
	if err != nil {
		return nil, err
	}
	c.packed = &packed{
		bytes: slices.Concat(p.Chain[0], p.Key), leaf: len(p.Chain[0]),
		above: decoded.share(p.Chain[1:]), staple: slices.Clone(p.Staple), decoded: decoded,
	}
	return c, nil
}

// decodePair parses leaf and key and checks that they belong together.
func decodePair(leaf, key []byte) (*tls.Certificate, error) {
	parsed, err := x509.ParseCertificate(leaf)
	if err != nil {
		return nil, fmt.Errorf("certificate 1 cannot be parsed: %w", err)
	}
	chain := []*x509.Certificate{parsed}
	if err := checkStrength(chain); err != nil {
		return nil, err
	}
	if len(key) > maxKeyBytes {
		return nil, fmt.Errorf("the private key has %d bytes; expected at most %d", len(key), maxKeyBytes)
	}
	private, err := decodeKey(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	if err != nil {
		return nil, errors.New("the private key cannot be parsed; expected PKCS #8")
	}
	if err := checkMatch(chain, private); err != nil {
		return nil, err
	}
	return &tls.Certificate{PrivateKey: private, Leaf: parsed}, nil
}

// pair returns the certificate decoded.
func (p *packed) pair() *tls.Certificate {
	if c := p.live.Load(); c != nil {
		if !p.used.Load() { // written only where it changes: all processors read it
			p.used.Store(true)
		}
		return c
	}
	c, err := decodePair(p.bytes[:p.leaf], p.bytes[p.leaf:])
	if err != nil {
		panic("tlsconfig: a certificate that was decoded before cannot be decoded: " + err.Error())
	}
	c.Certificate = append([][]byte{p.bytes[:p.leaf:p.leaf]}, p.above...)
	c.OCSPStaple = p.staple
	p.decoded.keep(p, c)
	return c
}

// Decoded keeps the certificates of a set decoded that were used last, and what
// stands above their leaves once for all of them. All methods are safe for
// concurrent use.
type Decoded struct {
	mu      sync.Mutex
	ring    []*packed // those that are decoded
	most    int
	hand    int // the next of ring to give way
	issuers map[[sha256.Size]byte][][]byte
}

// NewDecoded returns a set that keeps so many certificates decoded at a time, at
// least one. Each takes about 5 KiB.
func NewDecoded(most int) *Decoded {
	return &Decoded{most: max(most, 1), issuers: make(map[[sha256.Size]byte][][]byte)}
}

// Len returns how many certificates are decoded.
func (d *Decoded) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ring)
}

// keep makes c the decoded form of p. Where there is no room, one that was not
// used since the hand came by last gives way.
func (d *Decoded) keep(p *packed, c *tls.Certificate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.live.Load() != nil {
		return // another handshake was faster
	}
	p.live.Store(c)
	p.used.Store(false) // who asks once gives way to who asks again
	if len(d.ring) < d.most {
		d.ring = append(d.ring, p)
		return
	}
	// Once around at most: handshakes go on meanwhile and use them again.
	for range d.ring {
		if !d.ring[d.hand].used.Swap(false) {
			break
		}
		d.advance()
	}
	d.ring[d.hand].live.Store(nil)
	d.ring[d.hand] = p
	d.advance()
}

func (d *Decoded) advance() { d.hand = (d.hand + 1) % len(d.ring) }

// share returns the chain above a leaf, which many certificates have in common.
func (d *Decoded) share(above [][]byte) [][]byte {
	hash := sha256.New()
	for _, der := range above {
		hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(der))))
		hash.Write(der)
	}
	digest := [sha256.Size]byte(hash.Sum(nil))
	d.mu.Lock()
	defer d.mu.Unlock()
	if shared, ok := d.issuers[digest]; ok {
		return shared
	}
	own := make([][]byte, len(above))
	for i, der := range above {
		own[i] = slices.Clone(der)
	}
	if len(d.issuers) < issuersMost {
		d.issuers[digest] = own
	}
	return own
}

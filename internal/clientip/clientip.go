// Package clientip finds out who is really calling. A listener learns it in one
// of three ways, and a way that was not chosen is never believed.
package clientip

// Mode is how a listener learns the address of a client.
type Mode uint8

// The modes.
const (
	Direct        Mode = iota // the peer of the socket is the client
	ProxyProtocol             // a listed peer says so in a PROXY header
	XForwardedFor             // a listed peer says so in each request
)

// String returns the word that operators write.
func (m Mode) String() string {
	switch m {
	case ProxyProtocol:
		return "proxy_protocol"
	case XForwardedFor:
		return "x_forwarded_for"
	}
	return "direct"
}

package proxy

import (
	"bytes"
	"time"

	"gatehouse/internal/wire"
	"gatehouse/tenancy"
)

// proxyHeaderTimeout is how long a listed peer may take to send its PROXY
// header: load balancers send it with the first packet.
const proxyHeaderTimeout = 5 * time.Second

// identify reads the PROXY header of a listed peer and takes the client's
// address from it. Nothing behind the header is lost: Read hands it out.
func (s *Server) identify(c *conn) tenancy.Reason {
	c.watch.arm(proxyHeaderTimeout)
	h, rest, err := wire.ReadProxyHeader(c.Conn, make([]byte, wire.ProxyHeaderBytesMax))
	if err != nil || h.Local {
		return tenancy.ProxyHeader
	}
	c.watch.disarm()
	c.early = bytes.Clone(rest) // the buffer is longer than what is left
	c.peer.client = h.Source.Addr().Unmap().WithZone("")
	return s.judgeClient(c)
}

package acmetest

import "context"

// RootPEM returns the root of the certificates that the authority issues, for
// programs that are to trust them.
func (a *Authority) RootPEM() ([]byte, error) {
	h := a.client()
	defer h.CloseIdleConnections()
	return get(context.Background(), h, a.manage+"/roots/0")
}

package clientip

import "testing"

func TestModeString(t *testing.T) {
	for mode, want := range map[Mode]string{Direct: "direct", ProxyProtocol: "proxy_protocol", XForwardedFor: "x_forwarded_for"} {
		if got := mode.String(); got != want {
			t.Errorf("Mode(%d) = %q, want %q", mode, got, want)
		}
	}
}

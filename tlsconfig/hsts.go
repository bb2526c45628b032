package tlsconfig

import (
	"strconv"
	"time"
)

// defaultMaxAge is two years, what the browsers' preload lists recommend.
const defaultMaxAge = 730 * 24 * time.Hour

// HSTS is a compiled Strict-Transport-Security policy (RFC 6797). The zero
// value is none.
type HSTS struct {
	set               bool
	MaxAge            time.Duration // whole seconds count; 0 makes browsers forget the host
	IncludeSubdomains bool
	Preload           bool
}

// DefaultHSTS is what holds where nothing is written.
func DefaultHSTS() HSTS { return HSTS{set: true, MaxAge: defaultMaxAge} }

// Header returns the field's value, and "" where there is no policy.
func (h HSTS) Header() string {
	if !h.set {
		return ""
	}
	value := "max-age=" + strconv.FormatInt(int64(h.MaxAge/time.Second), 10)
	if h.IncludeSubdomains {
		value += "; includeSubDomains"
	}
	if h.Preload {
		value += "; preload"
	}
	return value
}

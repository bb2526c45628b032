package pool

import (
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/conf"
)

// StickySpec is how clients are kept with a backend, as written: the name of a
// cookie, off, or a map.
type StickySpec struct {
	Cookie conf.At[conf.OrOff[CookieName]] `conf:"cookie,short" default:"off" doc:"cookie that brings a client back to the backend that it was placed at, while that takes requests; signed, and it names no backend" example:"app_place" also:"name"`
	MaxAge conf.At[conf.Duration]          `conf:"max_age" default:"until the browser is closed, 90d at most" doc:"how long the cookie is good, 1m to 90d from when the client was placed; longer than sessions last" example:"8h" also:"ttl,expires,expiry"`
}

// CookieName is the name of a cookie (RFC 6265 4.1.1).
type CookieName string

// ConfType describes names of cookies.
func (*CookieName) ConfType() conf.Type {
	return conf.Type{Name: "cookie name", Pattern: "^[0-9A-Za-z!#$%&'*+.^_`|~-]{1,64}$", Example: "app_place"}
}

// ParseConf reads a name. The words of a switch are none: whoever writes one
// believes that there is a cookie already.
func (n *CookieName) ParseConf(text string) error {
	switch strings.ToLower(text) {
	case "true", "on", "yes":
		return &conf.Refusal{Text: fmt.Sprintf("%q names no cookie; expected the name of the one that keeps clients", text), Hint: "write it like sticky: app_place"}
	case "false", "off", "no":
		return &conf.Refusal{Text: fmt.Sprintf("%q names no cookie; expected the name of one, or off", text), Hint: "write sticky: off"}
	}
	if !isToken(text) {
		return fmt.Errorf("cookie %q is no name; expected letters, digits, - and _", text)
	}
	*n = CookieName(text)
	return nil
}

const (
	// stickyAgeLeast is about as long as somebody reads a page.
	stickyAgeLeast = time.Minute
	// stickyAgeMost bounds for how long a cookie counts that was copied; no
	// session lasts for that long. It also ends those of browsers that are never
	// closed.
	stickyAgeMost = 90 * 24 * time.Hour
)

// Sticky is how clients are kept with a backend. The zero Sticky keeps none.
type Sticky struct {
	Cookie string        // that carries it; "" for none
	MaxAge time.Duration // 0: until the browser is closed
}

// CheckConf holds what is written to its bounds.
func (s *StickySpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if d := time.Duration(s.MaxAge.V); s.MaxAge.Set() && (d < stickyAgeLeast || d > stickyAgeMost) {
		r.Fault(s.MaxAge.Pos, "", "max_age is %q; expected %s to %s", s.MaxAge.V, conf.Duration(stickyAgeLeast), conf.Duration(stickyAgeMost))
	}
}

// Compile returns what s, merged, declares; nil declares none.
func (s *StickySpec) Compile() Sticky {
	if s == nil || !s.Cookie.Set() || s.Cookie.V.Off {
		return Sticky{}
	}
	return Sticky{string(s.Cookie.V.V), time.Duration(s.MaxAge.V)}
}

// Good returns for how long a cookie counts that is set now.
func (s Sticky) Good() time.Duration {
	if s.MaxAge == 0 {
		return stickyAgeMost
	}
	return s.MaxAge
}

// String returns the rule in words.
func (s Sticky) String() string {
	switch {
	case s.Cookie == "":
		return "not sticky"
	case s.MaxAge == 0:
		return "sticky by cookie " + s.Cookie
	}
	return fmt.Sprintf("sticky by cookie %s for %s", s.Cookie, conf.Duration(s.MaxAge))
}

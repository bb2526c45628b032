package http1

import "bytes"

// splitTarget tells the forms of RFC 9112 section 3.2 apart. The authority
// form belongs to CONNECT, which is refused before.
func (h *RequestHead) splitTarget() *rule {
	switch {
	case h.Target[0] == '/':
		h.splitQuery(h.Target)
		return nil
	case string(h.Target) == "*":
		if string(h.Method) != "OPTIONS" {
			return errAsterisk
		}
		h.splitQuery(h.Target)
		return nil
	case hasPrefixFold(h.Target, "http://"):
		return h.splitAbsolute("http")
	case hasPrefixFold(h.Target, "https://"):
		return h.splitAbsolute("https")
	}
	return errTargetForm
}

func (h *RequestHead) splitAbsolute(scheme string) *rule {
	rest := h.Target[len(scheme)+len("://"):]
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	h.AbsoluteScheme = scheme
	h.Authority = rest[:end:end]
	if _, _, ok := SplitHost(h.Authority); !ok {
		return errTargetForm
	}
	h.splitQuery(rest[end:])
	if len(h.Path) == 0 {
		h.rootPath[0] = '/'
		if !h.HasQuery && string(h.Method) == "OPTIONS" {
			h.rootPath[0] = '*' // RFC 9112 section 3.2.4
		}
		h.Path = h.rootPath[:]
	}
	return nil
}

func (h *RequestHead) splitQuery(b []byte) {
	h.Path, h.Query, h.HasQuery = b, nil, false
	if i := bytes.IndexByte(b, '?'); i >= 0 {
		h.Path, h.Query, h.HasQuery = b[:i:i], b[i+1:], true
	}
}

package http1

// connection is what the Connection fields of a message say (RFC 9110 section
// 7.6.1).
type connection struct {
	values    [][]byte // the values of the fields, views
	options   int      // in all of them
	lengths   uint64   // bit n: an option of n bytes is there; bit 63: of 63 or more
	close     bool
	keepAlive bool
	upgrade   bool
}

func (c *connection) reset() {
	clear(c.values)
	*c = connection{values: c.values[:0]}
}

// add reads one Connection field.
func (c *connection) add(value []byte) *rule {
	c.values = append(c.values, value)
	for rest := value; len(rest) > 0; {
		var option []byte
		option, rest = element(rest)
		if c.options++; c.options > optionsMax {
			return errOptionsMany
		}
		if len(option) == 0 {
			continue
		}
		if r := c.addOption(option); r != nil {
			return r
		}
	}
	return nil
}

func (c *connection) addOption(option []byte) *rule {
	switch {
	case EqualFold(option, "close"):
		c.close = true
	case EqualFold(option, "keep-alive"):
		c.keepAlive = true
	case EqualFold(option, "upgrade"):
		c.upgrade = true
	case !IsToken(option):
		return errConnection
	case isEndToEnd(option):
		return errNominated
	}
	c.lengths |= 1 << min(len(option), 63)
	return nil
}

// nominated reports whether an option is name, without regard to case.
func (c *connection) nominated(name []byte) bool {
	if c.lengths&(1<<min(len(name), 63)) == 0 {
		return false
	}
	for _, rest := range c.values {
		for len(rest) > 0 {
			var option []byte
			option, rest = element(rest)
			if equalFoldBytes(option, name) {
				return true
			}
		}
	}
	return false
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lowerByte(c) != lowerByte(b[i]) {
			return false
		}
	}
	return true
}

// persists reports whether the connection may carry another message (RFC 9112
// section 9.3).
func (c *connection) persists(minor uint8) bool {
	return !c.close && (minor == 1 || c.keepAlive)
}

// isEndToEnd reports the fields whose removal by way of Connection would
// change who asks or what is asked: nominating them is an attack
// (CVE-2021-33197, CVE-2024-45410) and forbidden by RFC 9110 section 7.6.1.
func isEndToEnd(name []byte) bool {
	return EqualFold(name, "host") || EqualFold(name, "content-length") ||
		EqualFold(name, "transfer-encoding") || EqualFold(name, "authorization") ||
		EqualFold(name, "cookie") || IsForwarding(name)
}

// IsForwarding reports whether name says who the client of a proxy was:
// Forwarded (RFC 7239) and its older relatives.
func IsForwarding(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	switch lowerByte(name[0]) {
	case 'x':
		return hasPrefixFold(name, "x-forwarded") || EqualFold(name, "x-real-ip") ||
			EqualFold(name, "x-client-ip") || EqualFold(name, "x-cluster-client-ip")
	case 'f':
		return EqualFold(name, "forwarded")
	case 't':
		return EqualFold(name, "true-client-ip")
	case 'c':
		return EqualFold(name, "cf-connecting-ip")
	}
	return false
}

package compress

import (
	"bytes"

	"gatehouse/internal/http1"
)

// Choose returns the coding in which the sender of these fields gets an answer
// that fits: the one that it likes best, of those the first of the rules.
// Identity where it accepts none, asks for a range (what it has of the
// representation are bytes that are not coded), forbids it (RFC 9111 section
// 5.2.1.6), or may be made to ask by somebody else's page; see [Probes], also for byAddress.
func (r *Rules) Choose(fields []http1.Field, byAddress bool) Coding {
	var accepted weights
	for i := range fields {
		switch f := &fields[i]; {
		case len(f.Name) == 0:
		case http1.EqualFold(f.Name, "accept-encoding"):
			accepted.add(f.Value)
		case http1.EqualFold(f.Name, "range"),
			http1.EqualFold(f.Name, "cache-control") && hasElement(f.Value, "no-transform"):
			return Identity
		}
	}
	best := Identity
	for _, c := range r.codings {
		if w := accepted.of(c); w > 0 && (best == Identity || w > accepted.of(best)) {
			best = c
		}
	}
	if best != Identity && Probes(fields, byAddress) {
		return Identity
	}
	return best
}

// elementsMax is how many elements of Accept-Encoding are read; browsers send
// four, and there are nine codings.
const elementsMax = 16

// weights are what a client says about codings (RFC 9110 section 12.5.3), in
// thousandths and one more: 0 is what it says nothing about. What it says first
// counts.
type weights struct {
	by   [codingsEnd]int
	rest int // of "*"
	read int // elements
}

// of returns the weight of a coding in thousandths, 0 where it is not accepted.
func (w *weights) of(c Coding) int {
	if w.by[c] > 0 {
		return w.by[c] - 1
	}
	return max(w.rest-1, 0)
}

// add takes in the value of one Accept-Encoding field. An element that is
// malformed accepts nothing.
func (w *weights) add(value []byte) {
	for element := range bytes.SplitSeq(value, []byte{','}) {
		if w.read++; w.read > elementsMax {
			return
		}
		name, parameter, weighted := bytes.Cut(element, []byte{';'})
		name = bytes.Trim(name, " \t")
		weight := 1000
		if weighted {
			weight = quality(bytes.Trim(parameter, " \t"))
		}
		to := &w.rest
		if c := named(name); c != codingsEnd {
			to = &w.by[c]
		} else if string(name) != "*" {
			continue
		}
		if *to == 0 {
			*to = weight + 1
		}
	}
}

// quality reads q=0.5 in thousandths; 0 for what is no weight.
func quality(parameter []byte) int {
	if len(parameter) < 3 || len(parameter) > len("q=0.000") || parameter[0]|0x20 != 'q' || parameter[1] != '=' {
		return 0
	}
	digits := parameter[2:]
	if digits[0] != '0' && digits[0] != '1' || len(digits) > 1 && digits[1] != '.' {
		return 0
	}
	q, unit := int(digits[0]-'0')*1000, 100
	for _, c := range digits[min(2, len(digits)):] {
		if c < '0' || c > '9' {
			return 0
		}
		q += int(c-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}

// hasElement reports whether a list has this element, in lower case.
func hasElement(list []byte, lower string) bool {
	for element := range bytes.SplitSeq(list, []byte{','}) {
		if http1.EqualFold(bytes.Trim(element, " \t"), lower) {
			return true
		}
	}
	return false
}

package conf

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// scalar decodes the scalar n, which is not null, into v.
func (w *walk) scalar(n *yaml.Node, p *plan, v reflect.Value) bool {
	switch p.kind {
	case kindBool:
		if n.Value != "true" && n.Value != "false" {
			return w.fault(n, boolHint(n.Value), "%q is neither true nor false", n.Value)
		}
		if n.Style != 0 {
			return w.fault(n, "remove the quotes", "%q is text; expected true or false", n.Value)
		}
		v.SetBool(n.Value == "true")
	case kindInt:
		number, err := wholeNumber(n)
		if errors.Is(err, strconv.ErrRange) {
			return w.fault(n, "", "%q is too large", n.Value)
		}
		if err != nil {
			return w.fault(n, switchHint(n, w.declared()), "%q is not a whole number; expected decimal digits, without quotes", n.Value)
		}
		if p.enum != nil && !slices.Contains(p.enum, n.Value) {
			return w.fault(n, "", "%q is unknown; expected %s", n.Value, listed(p.enum, "or"))
		}
		v.SetInt(number)
	case kindString:
		if p.enum != nil && !slices.Contains(p.enum, n.Value) {
			return w.fault(n, w.enumHint(n, p), "%q is unknown; expected %s", n.Value, listed(p.enum, "or"))
		}
		v.SetString(n.Value)
	case kindScalar:
		if err := v.Addr().Interface().(Scalar).ParseConf(n.Value); err != nil {
			var refusal *Refusal
			if errors.As(err, &refusal) {
				return w.fault(n, refusal.Hint, "%s", refusal.Text)
			}
			return w.fault(n, "", "%s", err)
		}
	}
	return true
}

// wholeNumber reads plain decimal digits. YAML's other notations (0o17, 0x1f,
// 1_000, and 017, which is octal to some readers) are refused.
func wholeNumber(n *yaml.Node) (int64, error) {
	digits := strings.TrimPrefix(n.Value, "-")
	if n.Style != 0 || !isDigits(digits) || len(digits) > 1 && digits[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(n.Value, 10, strconv.IntSize)
}

// boolHint names the word that is most likely meant.
func boolHint(text string) string {
	on, is := switchWord(text)
	switch {
	case !is:
		return ""
	case on:
		return "write true"
	}
	return "write false"
}

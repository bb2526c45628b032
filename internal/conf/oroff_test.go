package conf

import (
	"regexp"
	"testing"
)

func TestOrOff(t *testing.T) {
	pattern := regexp.MustCompile(new(OrOff[Rate]).ConfType().Pattern)
	for text, want := range map[string]OrOff[Rate]{
		"off":    {Off: true},
		"500/s":  {V: Rate{500, Duration(1e9)}},
		"300/3h": {V: Rate{300, Duration(3 * 3600e9)}},
		"no":     {},
		"off/s":  {},
		"0/s":    {},
	} {
		var got OrOff[Rate]
		err := got.ParseConf(text)
		if good := want != (OrOff[Rate]{}); got != want || (err == nil) != good || good && !pattern.MatchString(text) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	if got, want := new(OrOff[Count]).ConfType(), (Type{Name: "whole number", Unit: "or off", Pattern: "^(off|[0-9]+)$", Example: "200"}); got != want {
		t.Errorf("a count or off is %+v, want %+v", got, want)
	}
}

func TestCount(t *testing.T) {
	for text, want := range map[string]string{
		"200": "200", "0": "0", "1000000000": "1000000000",
		"-1": "", "1e3": "", "": "", "1000000001": "", "99999999999999999999": "",
	} {
		var c Count
		err := c.ParseConf(text)
		if got := c.String(); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
}

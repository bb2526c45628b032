package gateway

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// nameTheState is what helps when the main file does not tell the process.
const nameTheState = "the state folder of the process that is meant goes after --state-dir, such as --state-dir " + defaultState

// SocketPath returns the command socket of the gateway that runs on a main
// file. That file may be broken by now: what operators order at once must not
// wait until it is mended.
func SocketPath(config string) (string, error) {
	report := new(conf.Report)
	l := newLoader(config, toExplain)
	c, text, err := l.main(report)
	if err != nil {
		return "", fmt.Errorf("%w; %s", err, nameTheState)
	}
	if report.Faults() == 0 || c.State.V != "" || leftOut(c, text, report) {
		return SocketIn(c.state(l.base())), nil
	}
	if dir := writtenState(text); dir != "" {
		return SocketIn(within(l.base(), dir)), nil
	}
	// Whatever is wrong may have hidden the key.
	return "", fmt.Errorf("which process runs on it cannot be told; %s: %w", nameTheState, faultsError(report.Findings()))
}

// stateLine is how the key state stands in a text that is no YAML any more.
var stateLine = regexp.MustCompile(`(?m)^state:[ \t]+("[^"\r\n]+"|'[^'\r\n]+'|[^\s"'#{\[&*!|>][^#\r\n]*)`)

// writtenState returns the state folder that a broken main file names; "" if
// that cannot be told, or is told twice.
func writtenState(text []byte) string {
	found := stateLine.FindAllSubmatch(text, 2)
	if len(found) != 1 {
		return ""
	}
	return strings.Trim(strings.TrimSpace(string(found[0][1])), `"'`)
}

// leftOut reports whether a broken main file that sets no state leaves that key
// out, whatever else is wrong with it.
func leftOut(c *Config, text []byte, r *conf.Report) bool {
	if c.State.Set() || writtenState(text) != "" {
		return false
	}
	meant := func(f conf.Finding) bool { return strings.Contains(f.String(), `"state"`) }
	if slices.ContainsFunc(r.Findings(), meant) {
		return false
	}
	// What decoded in part was read key by key, and a key like it has a finding.
	read := !reflect.ValueOf(c).Elem().IsZero() && r.Omitted() == 0
	return read || !bytes.Contains(bytes.ToLower(text), []byte("state"))
}

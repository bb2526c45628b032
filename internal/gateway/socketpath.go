package gateway

import (
	"fmt"
	"regexp"
	"strings"

	"gatehouse/internal/conf"
)

// SocketPath returns the command socket of the gateway that runs on a main
// file. That file may be broken by now: what operators order at once must not
// wait until it is mended.
func SocketPath(config string) (string, error) {
	report := new(conf.Report)
	l := newLoader(config, toExplain)
	c, text, err := l.main(report)
	if err != nil {
		return "", err
	}
	if report.Faults() == 0 || c.State.Set() {
		return socketPath(c.state(l.base())), nil
	}
	if dir := writtenState(text); dir != "" {
		return socketPath(within(l.base(), dir)), nil
	}
	// Whatever is wrong may have hidden the key.
	return "", fmt.Errorf("which process runs on it cannot be told (a main file with no more than version and the same state does, after -c): %w", faultsError(report.Findings()))
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

package metrics

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const alertsDir = "../../configs/prometheus"

// TestAlertsNameMetrics: what an alert asks for is there, so that none sleeps
// for ever over a name that was changed.
func TestAlertsNameMetrics(t *testing.T) {
	source, err := os.ReadFile("names.go")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`desc\("([a-z_]+)"`).FindAllSubmatch(source, -1) {
		known["gatehouse_"+string(m[1])] = true
	}
	asked := alertsMatch(t, "alerts.yaml", `\bgatehouse_[a-z_]+\b`)
	if len(asked) == 0 || len(known) == 0 {
		t.Fatalf("%d metrics are asked for, %d known", len(asked), len(known))
	}
	for _, name := range asked {
		if !known[name] {
			t.Errorf("alerts.yaml asks for %s, which no metric is named", name)
		}
	}
}

// TestAlertsHaveCases: each alert is shown at work in alerts_test.yaml.
func TestAlertsHaveCases(t *testing.T) {
	cases, err := os.ReadFile(filepath.Join(alertsDir, "alerts_test.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range alertsMatch(t, "alerts.yaml", `- alert: \w+`) {
		name := strings.TrimPrefix(line, "- alert: ")
		if !regexp.MustCompile(`alertname: ` + name + `\n\s+exp_alerts:\n\s+- exp_labels`).Match(cases) {
			t.Errorf("no case in alerts_test.yaml has %s at work", name)
		}
	}
}

// alertsMatch lists what a pattern finds in a file, each once.
func alertsMatch(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(alertsDir, file))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindAllString(string(text), -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// TestAlertsByPromtool has Prometheus' own tool read the alerts and run their
// cases.
func TestAlertsByPromtool(t *testing.T) {
	promtool := findPromtool(t)
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = alertsDir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func findPromtool(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("promtool"); err == nil {
		return path
	}
	path, err := filepath.Abs("../../bin/tools/promtool")
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		t.Fatalf("promtool is missing; install it: test/install test (%v)", err)
	}
	return path
}

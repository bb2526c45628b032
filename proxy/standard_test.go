package proxy

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// planeOf returns the data plane that a test plays on: the standard one below
// TestStandardPlane.
func planeOf(t testing.TB) DataPlane {
	if strings.HasPrefix(t.Name(), "TestStandardPlane/") {
		return StandardPlane
	}
	return OwnPlane
}

// TestStandardPlane plays what describes the data plane on the other one: the
// scripts, and the tests of what a connection goes through.
//
// What differs there has a script of its own in testdata/standard, whose first
// lines say why. Beside that, order and case of fields, and reason phrases, are
// the library's.
func TestStandardPlane(t *testing.T) {
	t.Parallel()
	t.Run("scripts", func(t *testing.T) {
		files, err := filepath.Glob("testdata/exchange/*.txtar")
		if err != nil || len(files) == 0 {
			t.Fatalf("no scripts: %v", err)
		}
		differing, err := os.ReadDir("testdata/standard")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range differing {
			if !slices.Contains(files, filepath.Join("testdata/exchange", d.Name())) {
				t.Errorf("testdata/standard/%s differs from nothing", d.Name())
			}
		}
		for _, file := range files {
			name := filepath.Base(file)
			if slices.ContainsFunc(differing, func(d os.DirEntry) bool { return d.Name() == name }) {
				file = filepath.Join("testdata/standard", name)
			}
			t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
				t.Parallel()
				play(t, readScript(t, file), unordered)
			})
		}
	})
	for name, test := range map[string]func(*testing.T){
		"RequestsReachTheirTenant":   TestRequestsReachTheirTenant,
		"RefusedClientGets403":       TestRefusedClientGets403,
		"Misdirected":                TestMisdirected,
		"StalledHandshake":           TestStalledHandshake,
		"BlockBeforeAnyByte":         TestBlockBeforeAnyByte,
		"RevokedWebSocketDies":       TestRevokedWebSocketDies,
		"RevocationByRoute":          TestRevocationByRoute,
		"BlockCutsWhatIsOpen":        TestBlockCutsWhatIsOpen,
		"BlockByCommand":             TestBlockByCommand,
		"CookiesAreNotShared":        TestCookiesAreNotShared,
		"CookiesOfWebSocket":         TestCookiesOfWebSocket,
		"CutWhileDialling":           TestCutWhileDialling,
		"LeaveWhileDialling":         TestLeaveWhileDialling,
		"UpgradeThatIsNone":          TestUpgradeThatIsNone,
		"BlockByCommandForwarded":    TestBlockByCommandForwarded,
		"Suspend":                    TestSuspend,
		"Maintenance":                TestMaintenance,
		"MaintenanceByCommand":       TestMaintenanceByCommand,
		"RevocationCutsAnswers":      TestRevocationCutsAnswers,
		"RevocationEndsTheWait":      TestRevocationEndsTheWait,
		"UntilPasses":                TestUntilPasses,
		"RefusedClientIsNotCut":      TestRefusedClientIsNotCut,
		"RemovedTenantDrains":        TestRemovedTenantDrains,
		"DrainOfRemovedTenantEnds":   TestDrainOfRemovedTenantEnds,
		"ReturnedTenantGoesOn":       TestReturnedTenantGoesOn,
		"ReloadKeepsWhatIsUnchanged": TestReloadKeepsWhatIsUnchanged,
		"ShutdownDrains":             TestShutdownDrains,
		"ShutdownCutsInTheEnd":       TestShutdownCutsInTheEnd,
		"Announce":                   TestAnnounce,
		"FirstRequestDuringShutdown": TestFirstRequestDuringShutdown,
		"DyingBackends":              TestDyingBackends,
		"Dribble":                    TestDribble,
		"ClientThatDoesNotRead":      TestClientThatDoesNotRead,
		"BackendThatDoesNotRead":     TestBackendThatDoesNotRead,
		"FaultIsContained":           TestFaultIsContained,
		"HostOfBackend":              TestHostOfBackend,
		"ClientOfEachRequest":        TestClientOfEachRequest,
		"AnswersAreNotMixed":         TestAnswersAreNotMixed,
		"ProofOverTLS":               TestProofOverTLS,
	} {
		t.Run(name, test)
	}
}

// unordered forgets what the library does not keep of heads: order and case of
// fields, and reason phrases. What is not a head stays.
func unordered(s string) string {
	for _, version := range []string{"HTTP/1.1 ", "HTTP/1.0 "} {
		if strings.HasPrefix(s, version) {
			return unorderedHead(s)
		}
	}
	if line, _, _ := strings.Cut(s, "\r\n"); strings.HasSuffix(line, " HTTP/1.1") {
		return unorderedHead(s)
	}
	return s
}

// unorderedHead does so with the head at the beginning, and with what follows.
func unorderedHead(s string) string {
	head, rest, whole := strings.Cut(s, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	if words := strings.SplitN(lines[0], " ", 3); len(words) == 3 && strings.HasPrefix(words[0], "HTTP/") {
		lines[0] = words[0] + " " + words[1] + " " + libraryPhrase(words[1], words[2])
	}
	fields := lines[1:]
	for i, line := range fields {
		name, value, _ := strings.Cut(line, ":")
		fields[i] = http.CanonicalHeaderKey(name) + ":" + value
	}
	slices.SortStableFunc(fields, func(a, b string) int {
		a, _, _ = strings.Cut(a, ":")
		b, _, _ = strings.Cut(b, ":")
		return strings.Compare(a, b)
	})
	head = strings.Join(lines, "\r\n")
	if !whole {
		return head
	}
	return head + "\r\n\r\n" + unordered(rest)
}

// libraryPhrase is what the library says with a status of a backend's answer.
// Our pages that take the place of its own refusals have our phrases.
func libraryPhrase(status, phrase string) string {
	code, err := strconv.Atoi(status)
	if err != nil {
		return phrase
	}
	if text := http.StatusText(code); text != "" {
		return text
	}
	return "status code " + status
}

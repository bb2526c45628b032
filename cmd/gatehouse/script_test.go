package main

import (
	"flag"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "write what commands print into the scripts")

// raceOptions, for a test binary with the race detector: a race ends a process
// at once with a status that nobody takes for success, and an end waits for
// nothing, which by default takes each process a second.
const raceOptions = "halt_on_error=1 exitcode=66 atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

// TestScripts plays the stories in testdata/script: what operators type and
// what they get, by the real program in processes of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", raceOptions)
			env.Values[zone{}] = new(zone)
			return os.MkdirAll(env.Getenv("TMPDIR"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ports":      ports,
			"expand":     expand,
			"exits":      exits,
			"eventually": eventually,
			"signal":     signalProcess,
			"get":        get,
			"pair":       pair,
			"authority":  authority,
			"dns":        dns,
			"serial":     serial,
			"renewed":    renewed,
		},
	})
}

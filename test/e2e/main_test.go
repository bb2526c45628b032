package e2e

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is the gatehouse that the tests run, built once.
var binary = filepath.Join(os.TempDir(), fmt.Sprintf("gatehouse-e2e-%d", os.Getpid()))

func TestMain(m *testing.M) {
	if order, is := os.LookupEnv(workerEnv); is {
		fmt.Fprintln(os.Stderr, beWorker(order))
		os.Exit(1)
	}
	flag.Parse()
	// Debian keeps daemons outside the path of ordinary users.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	// A data race in the binary ends it at once, with a status that no test takes for success; without one it ends
	// when it is done, and not a second later.
	os.Setenv("GORACE", "halt_on_error=1 exitcode=66 atexit_sleep_ms=0")
	code := 1
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.Remove(binary)
	os.Exit(code)
}

func build() error {
	args := []string{"build", "-o", binary}
	if underRace {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "gatehouse/cmd/gatehouse")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building gatehouse: %w\n%s", err, out)
	}
	return nil
}

// TestSourcesAreNoted looks at every file that goes into the binary. The go command remembers which files a test looked
// at, from the moment that tests run, and so runs these tests again when one of them has changed instead of reporting
// the former result.
func TestSourcesAreNoted(t *testing.T) {
	const root = "../.."
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "bin" || d.Name() == "test"):
			return fs.SkipDir
		case d.Type().IsRegular():
			_, err = os.Stat(p)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

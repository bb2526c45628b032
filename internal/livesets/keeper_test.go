package livesets

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/store"
	"gatehouse/ipallow"
)

// TestAnswersCount: what a source lists comes and goes with its answers, and
// each change is published once.
func TestAnswersCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, store.NewMem())
		h.names.set("vpn.acme.example", "203.0.113.5 2001:db8::5 10.0.0.5")
		allow, _ := lists(t, "acme", "- {dns: vpn.acme.example, refresh: 1m}")
		h.run(t, allow.Sources()...)
		synctest.Wait()
		if !h.lists(allow, "203.0.113.5") || !h.lists(allow, "2001:db8::5") {
			t.Error("an address of the first answer is not listed")
		}
		if h.lists(allow, "10.0.0.5") {
			t.Error("a private address is listed")
		}
		first := h.publications()
		h.names.set("vpn.acme.example", "203.0.113.6")
		time.Sleep(70 * time.Second)
		if h.lists(allow, "203.0.113.5") || !h.lists(allow, "203.0.113.6") {
			t.Error("the second answer does not replace the first")
		}
		time.Sleep(time.Hour)
		if n := h.publications() - first; n != 1 {
			t.Errorf("the change was published %d times", n)
		}
		if n := h.names.times("vpn.acme.example"); n < 50 || n > 70 {
			t.Errorf("asked %d times in an hour, want about 61", n)
		}
	})
}

// TestLastGoodAnswer: while a source gives nothing good, its last good answer
// admits for as long as keep says, and refuses for good.
func TestLastGoodAnswer(t *testing.T) {
	for name, bad := range map[string]string{
		"nothing": "", "private": "10.0.0.1 192.168.1.1", "too many": "203.0.113.1 203.0.113.2 203.0.113.3",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, store.NewMem())
				h.names.set("vpn.acme.example", "203.0.113.5")
				admits, refuses := lists(t, "", "- {dns: vpn.acme.example, refresh: 1m, keep: 1h, max: 2}")
				h.run(t, admits.Sources()...)
				synctest.Wait()
				h.names.set("vpn.acme.example", bad)
				time.Sleep(50 * time.Minute)
				if h.state() != Failing || !h.lists(admits, "203.0.113.5") {
					t.Errorf("within keep: %s, listed: %v", h.state(), h.lists(admits, "203.0.113.5"))
				}
				time.Sleep(15 * time.Minute)
				if h.state() != Past || h.lists(admits, "203.0.113.5") || !h.lists(refuses, "203.0.113.5") {
					t.Errorf("after keep: %s, admits: %v, refuses: %v", h.state(), h.lists(admits, "203.0.113.5"), h.lists(refuses, "203.0.113.5"))
				}
				h.names.set("vpn.acme.example", "203.0.113.5")
				time.Sleep(2 * time.Minute)
				if h.state() != Fresh || !h.lists(admits, "203.0.113.5") {
					t.Errorf("after a good answer: %s", h.state())
				}
				h.end()
				for _, line := range []string{"its last one stays in use", "kept too long to admit", "answers again"} {
					if n := strings.Count(h.log.String(), line); n != 1 {
						t.Errorf("%q was logged %d times:\n%s", line, n, &h.log)
					}
				}
			})
		})
	}
}

// TestRestart: a process that starts while a source is down goes on with what it
// listed, and no longer than keep says.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := store.NewMem()
		h := open(t, blobs)
		h.names.set("vpn.acme.example", "203.0.113.5")
		allow, _ := lists(t, "", "- {dns: vpn.acme.example, keep: 10h}")
		h.run(t, allow.Sources()...)
		time.Sleep(6 * time.Hour)
		h.end()

		next := open(t, blobs)
		next.run(t, allow.Sources()...)
		if next.state() != Fresh || !next.lists(allow, "203.0.113.5") {
			t.Errorf("at the start: %s", next.state())
		}
		time.Sleep(11 * time.Hour)
		next.end()
		if next.lists(allow, "203.0.113.5") {
			t.Error("listed for longer than keep")
		}
		last := open(t, blobs)
		last.SetSources(t.Context(), allow.Sources())
		if last.state() != Past || last.lists(allow, "203.0.113.5") {
			t.Errorf("at the start after keep: %s", last.state())
		}
	})
}

// TestOtherPace: a source whose pace is written anew goes on with what it listed,
// in the same process and in the next.
func TestOtherPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := store.NewMem()
		h := open(t, blobs)
		h.names.set("vpn.acme.example", "203.0.113.5")
		before, _ := lists(t, "acme", "- {dns: vpn.acme.example, refresh: 1m}")
		after, _ := lists(t, "acme", "- {dns: vpn.acme.example, refresh: 2m, keep: 1d}")
		less, _ := lists(t, "globex", "- {dns: vpn.acme.example, refresh: 2m, keep: 1d}")
		h.run(t, before.Sources()...)
		h.names.set("vpn.acme.example", "hang")
		h.SetSources(t.Context(), after.Sources())
		if !h.lists(after, "203.0.113.5") {
			t.Error("not listed at another pace")
		}
		h.SetSources(t.Context(), less.Sources())
		if h.lists(less, "203.0.113.5") {
			t.Error("listed for another tenant")
		}
		h.end()
		next := open(t, blobs)
		next.SetSources(t.Context(), after.Sources())
		if !next.lists(after, "203.0.113.5") {
			t.Error("not listed at another pace in the next process")
		}
	})
}

// TestFirstAnswer: a table waits for the first answers of its sources, and not
// for long.
func TestFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, store.NewMem())
		h.names.set("vpn.acme.example", "203.0.113.5")
		h.names.set("hangs.acme.example", "hang")
		fast, _ := lists(t, "", "- {dns: vpn.acme.example}")
		slow, _ := lists(t, "", "- {dns: hangs.acme.example}")
		start := time.Now()
		h.run(t, fast.Sources()...)
		if took := time.Since(start); took > 0 || !h.lists(fast, "203.0.113.5") {
			t.Errorf("waited %v, listed: %v", took, h.lists(fast, "203.0.113.5"))
		}
		h.SetSources(t.Context(), append(fast.Sources(), slow.Sources()...))
		if took := time.Since(start); took != firstAnswerTime {
			t.Errorf("waited %v", took)
		}
	})
}

// TestDamagedState: a blob that is none is set aside, and the source asked.
func TestDamagedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := store.NewMem()
		allow, _ := lists(t, "", "- {dns: vpn.acme.example}")
		for _, key := range []string{savedKey(allow.Sources()[0].Place()), "sets/else"} {
			if err := blobs.Put(t.Context(), key, []byte("{")); err != nil {
				t.Fatal(err)
			}
		}
		h := open(t, blobs)
		h.names.set("vpn.acme.example", "203.0.113.5")
		h.run(t, allow.Sources()...)
		synctest.Wait()
		if !h.lists(allow, "203.0.113.5") {
			t.Error("the source was not asked")
		}
		h.end()
		if n := strings.Count(h.log.String(), "damaged state set aside"); n != 2 {
			t.Errorf("%d blobs were set aside, want 2:\n%s", n, &h.log)
		}
	})
}

// TestHangingSources: a tenant whose sources hang delays nobody else's.
func TestHangingSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, store.NewMem())
		var sources []*ipallow.Source
		for i := range 200 {
			name := fmt.Sprintf("h%d.acme.example", i)
			h.names.set(name, "hang")
			allow, _ := lists(t, "acme", "- {dns: "+name+"}")
			sources = append(sources, allow.Sources()...)
		}
		h.names.set("vpn.globex.example", "203.0.113.5")
		globex, _ := lists(t, "globex", "- {dns: vpn.globex.example}")
		h.run(t, append(sources, globex.Sources()...)...)
		time.Sleep(time.Second)
		if !h.lists(globex, "203.0.113.5") {
			t.Error("another tenant's source is not asked")
		}
		asked := 0
		for i := range 200 {
			asked += h.names.times(fmt.Sprintf("h%d.acme.example", i))
		}
		if asked != askedOfTenantMax {
			t.Errorf("%d sources of one tenant are asked at once, want %d", asked, askedOfTenantMax)
		}
	})
}

// TestChangesAreGathered: many changes at once are published a few times.
func TestChangesAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, store.NewMem())
		var sources []*ipallow.Source
		for i := range 300 {
			name := fmt.Sprintf("h%d.example", i)
			h.names.set(name, "203.0.113.5")
			allow, _ := lists(t, "", "- {dns: "+name+"}")
			sources = append(sources, allow.Sources()...)
		}
		h.run(t, sources...)
		time.Sleep(5 * time.Second)
		if n := h.publications(); n == 0 || n > 3 {
			t.Errorf("%d publications of 300 changes at once", n)
		}
	})
}

// TestFileSource: a new file is read before SetSources returns, a change when it
// is told or at its pace, and a broken one changes nothing.
func TestFileSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, store.NewMem())
		path := filepath.Join(t.TempDir(), "list.txt")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("203.0.113.0/28\n")
		allow, _ := lists(t, "", "- {file: "+path+", refresh: 1m}")
		h.run(t, allow.Sources()...)
		if !h.lists(allow, "203.0.113.5") {
			t.Error("not listed at the start")
		}
		write("198.51.100.7\n")
		h.ReadFiles()
		synctest.Wait()
		if h.lists(allow, "203.0.113.5") || !h.lists(allow, "198.51.100.7") {
			t.Error("the change does not count when it is told")
		}
		for _, broken := range []string{"", "# nobody\n", "<html>\n", "198.51.100.7/24\n"} {
			write(broken)
			time.Sleep(3 * time.Minute)
			if h.state() != Failing || !h.lists(allow, "198.51.100.7") {
				t.Errorf("%q: %s", broken, h.state())
			}
		}
		write("203.0.113.9 # back\n")
		time.Sleep(2 * time.Minute)
		if !h.lists(allow, "203.0.113.9") {
			t.Error("the change does not count at its pace")
		}
	})
}

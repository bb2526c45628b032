package proxy

import (
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"weak"
)

// TestFormerTablesAreForgotten: what runs for a tenant goes with the table that it
// was made for, however many tables follow one another.
func TestFormerTablesAreForgotten(t *testing.T) {
	t.Parallel()
	text := func(i int) string {
		return fmt.Sprintf(`
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
slow_start: %ds
limits: {requests: %d/s}
routes: {/x/: {backends: ["http://127.0.0.1:1"], canary: {backends: ["http://127.0.0.1:2"], weight: 5%%, sticky: 1h}, mirror: {backends: ["http://127.0.0.1:3"]}}}
`, i+1, 1000+i)
	}
	w := newWorldOn(t, map[string]string{"acme": text(0)}, OwnPlane)
	var former []weak.Pointer[running]
	const tables = 20
	for i := range tables {
		if status, _ := w.get(w.client("direct", "127.0.0.1", false), "https://a.example/"); status != http.StatusOK {
			t.Fatalf("answered with %d", status)
		}
		snap := w.server.snapshot()
		former = append(former, weak.Make(snap.of(snap.table.Tenant("acme"))))
		w.set("acme", text(i+1))
	}
	eventually(t, "the former ones are forgotten", func() bool {
		runtime.GC()
		alive := 0
		for _, r := range former {
			if r.Value() != nil {
				alive++
			}
		}
		return alive <= 1
	})
}

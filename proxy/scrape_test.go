package proxy

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/metrics"
)

// counter returns the value of a series as a scrape shows it, 0 if it is not
// there.
func counter(t *testing.T, set *metrics.Set, series string) float64 {
	t.Helper()
	w := httptest.NewRecorder()
	set.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), series+" ")
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	return 0
}

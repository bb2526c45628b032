package metrics

import (
	"fmt"
	"strings"
	"testing"
)

func TestSetSeries(t *testing.T) {
	s := New("")
	var none *Set
	none.LiveSets().Asked("dns", "same")
	none.LiveSets().Stand(nil)
	s.LiveSets().Asked("dns", "failed")
	s.LiveSets().Asked("dns", "failed")
	s.LiveSets().Stand(func() []LiveSource {
		return []LiveSource{
			{Tenant: "acme", Set: "vpn", State: "fresh", Age: 10, Known: true},
			{Tenant: "acme", Set: "vpn", State: "failing", Age: 90, Known: true},
			{Set: "cloud", State: "unknown"},
		}
	})
	wantLines(t, s, `gatehouse_set_questions_total{kind="dns",result="failed"} 2`, `gatehouse_set_age_seconds{set="vpn",tenant="acme"} 90`,
		`gatehouse_set_sources{state="fresh"} 1`, `gatehouse_set_sources{state="failing"} 1`, `gatehouse_set_sources{state="unknown"} 1`)
}

// TestSetSeriesAreBounded: operators' names make no number of series.
func TestSetSeriesAreBounded(t *testing.T) {
	s := New("")
	s.LiveSets().Stand(func() []LiveSource {
		var list []LiveSource
		for i := range 2 * setSeriesMax {
			list = append(list, LiveSource{Set: fmt.Sprint(i), State: "fresh", Known: true})
		}
		return list
	})
	n := 0
	for _, line := range scrape(t, s) {
		if strings.HasPrefix(line, "gatehouse_set_age_seconds") {
			n++
		}
	}
	if n != setSeriesMax {
		t.Errorf("%d series, want %d", n, setSeriesMax)
	}
}

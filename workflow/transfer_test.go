package workflow

import (
	"testing"
	"time"

	"github.com/slipway-k8s/slipway/hosts"
)

func TestTransfer(t *testing.T) {
	const mib = 1 << 20
	began := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	steady := func(rate int64, from int64, seconds int) []hosts.Progress {
		var all []hosts.Progress
		for i := range seconds + 1 {
			all = append(all, hosts.Progress{Done: from + int64(i)*rate, Total: 98 * mib})
		}
		return all
	}
	tests := map[string]struct {
		notes []hosts.Progress // one a second
		after time.Duration    // since the last
		want  string
	}{
		"nothing yet":               {nil, 0, ""},
		"it has just begun":         {steady(mib, 0, 1), 0, "1% of 98 MiB"},
		"two megabits a second":     {steady(250<<10, 0, 60), 0, "14% of 98 MiB, 250 KiB/s, 5 min 40 s left"},
		"what was there is no rate": {steady(250<<10, 49*mib, 30), 0, "57% of 98 MiB, 250 KiB/s, 2 min 50 s left"},
		"the line hesitates":        {steady(250<<10, 0, 60), 20 * time.Second, "14% of 98 MiB, 125 KiB/s, 11 min left"},
		"a part is sent again":      {append(steady(mib, 0, 30), steady(mib, 10*mib, 4)...), 0, "14% of 98 MiB, 1.0 MiB/s, 80 s left"},
		"all is there":              {steady(mib, 88*mib, 10), 0, "100% of 98 MiB"},
		"slower than most":          {steady(512, 0, 30), 0, "0% of 98 MiB, 512 B/s, 55 h 45 min left"},
	}
	for name, test := range tests {
		var transfer Transfer
		now := began
		for i, note := range test.notes {
			now = began.Add(time.Duration(i) * time.Second)
			transfer.Note(note, now)
		}
		if got := transfer.text(now.Add(test.after)); got != test.want {
			t.Errorf("%s: %q, should be %q", name, got, test.want)
		}
	}
}

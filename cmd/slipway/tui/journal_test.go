package tui

import "testing"

func TestTheTimeStandsOnceOnAJournalsLine(t *testing.T) {
	const head = "2026-12-01T12:00:00+00:00 kubelet[812]: "
	for line, want := range map[string]string{
		head + `I1201 12:00:00.123456     812 kubelet.go:42] "synced" pods=3`:            head + `I kubelet.go:42] "synced" pods=3`,
		head + `time="2026-12-01T12:00:00.123456789Z" level=info msg="starting"`:         head + `level=info msg="starting"`,
		head + `time=2026-12-01T12:00:00.123Z level=INFO msg=starting`:                   head + `level=INFO msg=starting`,
		head + `Tue Dec  1 12:00:00 2026: VRRP_Instance(api) Entering MASTER STATE`:      head + `VRRP_Instance(api) Entering MASTER STATE`,
		head + "no time of its own, I1201 12:00:00.123456 812 stands later":              head + "no time of its own, I1201 12:00:00.123456 812 stands later",
		"I1201 12:00:00.123456     812 kubelet.go:42] journald has not written the time": "I1201 12:00:00.123456     812 kubelet.go:42] journald has not written the time",
	} {
		if got := onceTimed(line); got != want {
			t.Errorf("%s\nis %s\nwant %s", line, got, want)
		}
	}
}

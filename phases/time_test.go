package phases

import (
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

// asked is what a file may ask of the hosts' own settings.
var asked = cluster.Prepare{HostsFile: true, TimeZone: "Europe/Berlin", NTP: cluster.NTP{Servers: []string{"ntp.example.com"}}}

// TestTimeAndNamesAreSetOnlyWhereTheFileAsks, put back where it no longer does, and by a reset.
func TestTimeAndNamesAreSetOnlyWhereTheFileAsks(t *testing.T) {
	w := newWorld(t, 1, 2)
	for _, machine := range w.machines {
		machine.Edit(func(f *hosts.Facts) {
			f.TimeSettings = hosts.TimeSettings{Zone: "Etc/UTC", Service: "chrony.service"}
		})
	}
	bare := w.machine("w-1")
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].TimeSettings; got.Zone != "Etc/UTC" || got.Active {
		t.Errorf("unasked, the time is set to %+v", got)
	}
	w.cluster.Prepare = asked
	w.init(seeded(1))
	facts := w.observe().Facts["w-1"]
	if got := facts.TimeSettings; got.Zone != "Europe/Berlin" || !got.Active || !slices.Equal(got.Servers, asked.NTP.Servers) {
		t.Errorf("time is set to %+v", got)
	}
	if !slices.Equal(facts.Names["w-2"], []string{"10.0.1.2"}) || !slices.Equal(facts.Names["cp-1"], []string{"10.0.0.1"}) {
		t.Errorf("names: %v", facts.Names)
	}
	p, _ := w.planned(Init)
	wantEmpty(t, p)

	w.cluster.Prepare = cluster.Prepare{}
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].TimeSettings; got.Zone != "Etc/UTC" || got.Active {
		t.Errorf("no longer asked, the time is set to %+v", got)
	}
	p, _ = w.planned(Init)
	wantEmpty(t, p)
	w.cluster.Prepare = asked
	w.init(seeded(1))
	w.all(resetting())
	if after := w.machine("w-1"); after != bare {
		t.Errorf("w-1 is not what it was:\n%s", difference(bare, after))
	}
}

// TestTimeServersNeedATimeService: it is said before anything is touched.
func TestTimeServersNeedATimeService(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.cluster.Prepare = asked
	w.machines["cp-1"].Edit(func(f *hosts.Facts) { f.TimeSettings.Service = "chronyd.service" })
	w.machines["w-2"].Edit(func(f *hosts.Facts) { f.TimeSettings.Fixed = true }) // warned of, and left alone
	var found []string
	for _, finding := range checks.Errors(checks.Preflight(view.Init, w.observe().View)) {
		found = append(found, finding.Host+" "+finding.Check)
	}
	if !slices.Equal(found, []string{"w-1 TimeService"}) {
		t.Errorf("found %q", found)
	}
	w.machines["w-1"].Edit(func(f *hosts.Facts) { f.TimeSettings.Service = "chronyd.service" })
	p, _ := w.planned(Init)
	for _, step := range p.Steps {
		if step.ID == "w-2/prepare/ntp" {
			t.Errorf("%s: it may not set its clock", step.ID)
		}
	}
}

// TestSwapStaysWhereTheKubeletIsToldSo, and comes back where that is said later.
func TestSwapStaysWhereTheKubeletIsToldSo(t *testing.T) {
	swap := []string{"/dev/sda2"}
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].Swaps; len(got) > 0 {
		t.Fatalf("swap is on: %q", got)
	}
	w.cluster.Kubelet = map[string]any{"failSwapOn": false, "memorySwap": map[string]any{"swapBehavior": "LimitedSwap"}}
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].Swaps; !slices.Equal(got, swap) {
		t.Errorf("swap is %q", got)
	}
	p, _ := w.planned(Init)
	wantEmpty(t, p)
	for _, finding := range checks.Preflight(view.Init, w.observe().View) {
		t.Errorf("found: %v", finding)
	}

	w = newWorld(t, 1, 1)
	w.cluster.ExtraArgs.Kubelet = []cluster.Arg{{Name: "fail-swap-on", Value: "false"}}
	w.init(seeded(1))
	if got := w.observe().Facts["w-1"].Swaps; !slices.Equal(got, swap) {
		t.Errorf("swap is %q", got)
	}
}

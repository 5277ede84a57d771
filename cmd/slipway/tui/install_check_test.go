package tui

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/cmd/slipway/tui/text"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
)

// TestALiveCheckSaysWhomItAsked: it is green only where every host was asked, whatever it was called when it was tried, and
// says what stands against it.
func TestALiveCheckSaysWhomItAsked(t *testing.T) {
	s := onPaper(t, Terminal{}, text.English)
	down := map[string]bool{}
	s.options.Probe.Dial = func(_ context.Context, h cluster.Host, _ func(string)) (hosts.Host, error) {
		if down[h.Address()] {
			return nil, errors.New("no route to host")
		}
		return hosttest.NewFake(h.Name, h.Address()+"/24").Host(), nil
	}
	in := installerOnPaper(t, s, fileOnPaper)
	check := func() string {
		t.Helper()
		c := &newEndpointScreen(in).check
		c.took(c.ask()().(checkedMsg))
		return strings.Join(c.lines("Endpoint", nil, 200), "\n")
	}
	try := func() {
		for _, h := range in.draft.Hosts {
			*in.of(h.Name) = look{}
			in.took(in.try(h)().(probedMsg))
		}
	}
	wants := func(when, want string) {
		t.Helper()
		if said := check(); !strings.Contains(said, want) {
			t.Errorf("%s it says %q, want %q", when, said, want)
		}
	}
	const green = "the hosts see nothing against it"
	wants("before a host was tried", "No host is reached yet")
	down["192.0.2.21"] = true
	try()
	wants("with a worker down", "3 of 4 hosts were asked")
	down = nil
	try()
	wants("with all of them", green)
	if err := in.edit(func(e *cluster.Editor) error { return e.RenameHost("cp-1", "first") }); err != nil {
		t.Fatal(err)
	}
	wants("after a host was renamed", green)
	if err := in.edit(func(e *cluster.Editor) error { return e.Set("endpoint.host", "198.51.100.7") }); err != nil {
		t.Fatal(err)
	}
	wants("with an address of another subnet", "VirtualIP: ")
	if said := check(); strings.Contains(said, green) {
		t.Errorf("it is green all the same: %s", said)
	}
	in.release()()
	wants("after a run", "No host is reached yet")
}

package phases

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/checks"
	"github.com/slipway-k8s/slipway/phases/view"
)

func withLink(name, address string) func(*hosts.Facts) {
	return func(f *hosts.Facts) {
		f.Interfaces = append(slices.Clone(f.Interfaces), hosts.Link{Name: name, Up: true, Addresses: []string{address}})
	}
}

func withRoute(destination, gateway, link string) func(*hosts.Facts) {
	return func(f *hosts.Facts) {
		f.Routes = append(slices.Clone(f.Routes), hosts.Route{Destination: destination, Gateway: gateway, Interface: link})
	}
}

// TestARunningClusterIsNotStoppedByItsNetwork: its own interfaces and routes are no conflict,
// and one that came later is told without keeping an init from repairing the rest.
func TestARunningClusterIsNotStoppedByItsNetwork(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	of := func(change ...func(*hosts.Facts)) (severities []checks.Severity) {
		in := w.observe()
		facts := in.Facts["w-1"]
		for _, spoil := range change {
			spoil(&facts)
		}
		in.Facts["w-1"] = facts
		for _, found := range checks.Preflight(view.Init, in.View) {
			severities = append(severities, found.Severity)
		}
		return severities
	}
	if got := of(withLink("cni0", "10.244.1.1/24"), withLink("flannel.1", "10.244.1.0/32"),
		withRoute("10.244.0.0/24", "10.244.0.0", "flannel.1"), withRoute("10.244.1.0/24", "", "cni0")); len(got) > 0 {
		t.Errorf("flannel's own: %v", got)
	}
	late := of(withLink("tun0", "10.244.9.9/24"), func(f *hosts.Facts) { f.NameServers = []string{"10.96.0.10"} })
	if !slices.Equal(late, []checks.Severity{checks.Warning, checks.Warning}) {
		t.Errorf("what came later: %v", late)
	}
	w.cluster.Networking.AddOn = cluster.AddOnNone
	w.bring("05-cilium.conflist")
	if got := of(withLink("cilium_host", "10.244.1.7/32"), withRoute("10.244.0.0/24", "10.244.1.7", "cilium_host")); len(got) > 0 {
		t.Errorf("a network that the user brought: %v", got)
	}
}

// TestCoreDNSThatForwardsNowhereIsLeftAlone: whether it forwards is seen in its own Corefile,
// where there is one.
func TestCoreDNSThatForwardsNowhereIsLeftAlone(t *testing.T) {
	in := newWorld(t, 1, 1).observe()
	for name, facts := range in.Facts {
		facts.NameServers, facts.Swaps = nil, nil
		in.Facts[name] = facts
	}
	for corefile, want := range map[string]int{".:53 {\n  loop\n}": 0, ".:53 {\n  forward . 192.0.2.53\n}": 0, ".:53 {\n  forward . /etc/resolv.conf\n}": 2} {
		content, err := json.Marshal(map[string]any{"data": map[string]string{"Corefile": corefile}})
		if err != nil {
			t.Fatal(err)
		}
		in.ClusterFacts.Objects = map[hosts.ObjectKey]json.RawMessage{{APIVersion: "v1", Kind: "ConfigMap", Namespace: "kube-system", Name: "coredns"}: content}
		if got := checks.Preflight(view.Init, in.View); len(got) != want {
			t.Errorf("%s: %v", corefile, got)
		}
	}
}

// TestPrepareRefusesNoHostThatInitTakes: for want of a name server, as hosts without a way out
// have it. Where all nodes were looked at and none has one, the cluster is told of, once.
func TestPrepareRefusesNoHostThatInitTakes(t *testing.T) {
	for name, test := range map[string]struct {
		lacking, targets []string
		want             string // the host that it is told of
	}{
		"none has one":       {lacking: []string{"cp-1", "w-1"}},
		"others may":         {lacking: []string{"w-1"}, targets: []string{"w-1"}, want: "w-1"},
		"another has one":    {lacking: []string{"w-1"}, want: "w-1"},
		"the targets' alone": {lacking: []string{"cp-1", "w-1"}, targets: []string{"w-1"}},
	} {
		in := newWorld(t, 1, 1).observe()
		in.Hosts = test.targets
		for host, facts := range in.Facts {
			facts.Swaps = nil
			if slices.Contains(test.lacking, host) {
				facts.NameServers = nil
			}
			in.Facts[host] = facts
		}
		if name == "others may" {
			delete(in.Facts, "cp-1")
		}
		problems := checks.Preflight(view.Prepare, in.View)
		if len(problems) != 1 || problems[0].Check != "NameServers" || problems[0].Severity != checks.Warning || problems[0].Host != test.want {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// TestWhatIsFoundLateIsTold: of a host that is part of the cluster. One that was only prepared comes
// yet, and one that was part of it and was installed anew.
func TestWhatIsFoundLateIsTold(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.init(seeded(1))
	w.add(2)
	w.all(Prepare)
	w.add(3)
	in := w.observe()
	in.JoinedBefore = map[string]bool{"cp-1": true, "w-1": true, "w-3": true}
	for _, name := range []string{"w-1", "w-2", "w-3"} {
		edit(&in, name, func(f *hosts.Facts) { f.NameServers = nil })
	}
	for workflow, want := range map[view.Workflow]map[string]checks.Severity{
		view.Join: {"w-2": checks.Error, "w-3": checks.Error},
		view.Init: {"w-1": checks.Warning, "w-2": checks.Error, "w-3": checks.Error},
	} {
		found := map[string]checks.Severity{}
		for _, p := range checks.Preflight(workflow, in.View) {
			if p.Check == "NameServers" {
				found[p.Host] = p.Severity
			}
		}
		if !maps.Equal(found, want) {
			t.Errorf("%s: %v, want %v", workflow, found, want)
		}
	}
}

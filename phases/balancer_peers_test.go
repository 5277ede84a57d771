package phases

import (
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// TestWhoRunsKeepalivedIsAPeerWhateverTheNodeSays has a newcomer's join cut between the
// start of its keepalived and the mark on its node, and other hosts leave then: the world
// looks after every step whether one keepalived does not tell another of itself.
func TestWhoRunsKeepalivedIsAPeerWhateverTheNodeSays(t *testing.T) {
	begun := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 4})
	begun.init(seeded(1))
	begun.come(testPlane(5), 4)
	p, contents := begun.planned(Join)
	begun.until(p, contents, "cp-5/load-balancer/keepalived.service")
	for name, leave := range map[string]func(w *world) workflow{
		"reset": func(*world) workflow { return resetting("cp-2") },
		"removal": func(w *world) workflow {
			w.power("cp-2", false)
			return removing("cp-2")
		},
		"reset after kubectl delete node": func(w *world) workflow {
			delete(w.nodes, "cp-3")
			w.act("cp-3", hosts.SetUnit{Name: "kubelet.service", Enabled: true}) // it would register again
			return resetting("cp-2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := begun.clone(t)
			flow := leave(w)
			p, contents := w.planned(flow)
			w.run(p, contents, seeded(2), -1)
			w.leaveFile("cp-2")
			if name == "reset after kubectl delete node" {
				return
			}
			p, contents = w.planned(Join)
			w.run(p, contents, seeded(3), -1)
			w.sane("the join")
		})
	}
}

func TestNobodyGetsAKeepalivedThatAnotherCannotBeToldOf(t *testing.T) {
	for _, test := range []struct {
		name  string
		shape shape
		comes cluster.Host
		down  string
		want  string // empty: it is not refused
	}{
		{"beside a load balancer", shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 2}, testBalancer(3), "lb-2",
			"lb-2: VirtualIP: its keepalived cannot be told of the new one, and both would hold 10.0.0.200"},
		{"beside a control plane", shape{mode: cluster.EndpointVIP, planes: 2, external: true}, testPlane(3), "cp-2", "slipway remove --offline cp-2"},
		{"no keepalived of its own", shape{mode: cluster.EndpointLoadBalancers, planes: 1, spares: 2}, testPlane(2), "lb-2", ""},
		{"without a virtual address", shape{mode: cluster.EndpointLocal, planes: 2, external: true}, testPlane(3), "cp-2", ""},
		{"a worker", shape{mode: cluster.EndpointVIP, planes: 3}, testWorker(9), "cp-2", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorldOf(t, test.shape)
			w.init(seeded(1))
			w.come(test.comes, len(w.cluster.Hosts))
			w.power(test.down, false)
			in := w.observe()
			in.Hosts = []string{test.comes.Name}
			_, _, err := Join(in)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("join: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("join: %v, want something of %q", err, test.want)
			}
		})
	}
}

// TestAStrangerThatIsDownHoldsNothing: a host of the file that the cluster has never heard of.
func TestAStrangerThatIsDownHoldsNothing(t *testing.T) {
	w := newWorldOf(t, shape{mode: cluster.EndpointVIP, planes: 1})
	w.init(seeded(1))
	w.come(testPlane(2), 1)
	w.come(testPlane(3), 2)
	w.power("cp-3", false)
	in := w.observe()
	in.Hosts = []string{"cp-2"}
	if _, _, err := Join(in); err != nil {
		t.Error(err)
	}
}

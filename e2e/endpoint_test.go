package e2e

import (
	"slices"
	"testing"
	"time"
)

// TestEndpointModes makes a cluster behind each kind of endpoint but the virtual address of
// TestCluster, on the same hosts: what a reset leaves is good for the next. The whole
// campaigns are in the long tests.
func TestEndpointModes(t *testing.T) {
	l := newLab(t, "--control-planes", "1", "--workers", "1", "--load-balancers", "2", "--spares", "1")
	bare := l.file
	noBalancers := func(file map[string]any) {
		file["hosts"] = slices.DeleteFunc(hostsOf(file), func(host any) bool {
			return slices.Contains([]any{"lb-1", "lb-2"}, host.(map[string]any)["name"])
		})
	}
	promises(t, l, (*lab).there, []promise{
		{"load balancers of their own are brought up too, and are no nodes", loadBalancersComeUp},
		{"the endpoint survives the balancer that holds it", endpointSurvivesHolder},
		{"a worker joins, and nobody logs in on a balancer for it", func(t *testing.T, l *lab) {
			with := withSpare(t, l)
			joinLogsInOnNone(t, with, "cp-1", "worker-1", "lb-1", "lb-2")
			l.wantReady("cp-1", "spare-1", "worker-1")
			with.must(with.onCluster("reset", "spare-1", "--yes")...)
		}},
		{"the whole cluster's reset leaves nothing on a balancer", func(_ *testing.T, l *lab) {
			resetHosts(l, "cp-1", "worker-1", "lb-1", "lb-2", "spare-1")
		}},
	})
	l.file = edited(t, l, func(file map[string]any) {
		noBalancers(file)
		file["endpoint"] = map[string]any{"mode": "local"}
	})
	promises(t, l, (*lab).there, []promise{
		{"a balancer on every host's loopback", func(_ *testing.T, l *lab) {
			l.wantReady("cp-1", "worker-1")
			l.planIsEmpty()
		}},
		{"kubeadm joins a prepared host by a control plane's address", func(t *testing.T, l *lab) {
			with := withSpare(t, l)
			kubeadmJoins(t, with, "spare-1")
			l.exec("spare-1", "kubeadm", "reset", "--force")
			with.must(with.onCluster("reset", "spare-1", "--yes")...)
		}},
		{"its reset leaves nothing", func(_ *testing.T, l *lab) { resetHosts(l, "cp-1", "worker-1", "spare-1") }},
	})
	l.file = bare
	l.file = edited(t, l, func(file map[string]any) {
		noBalancers(file)
		file["endpoint"] = map[string]any{"mode": "external", "host": l.address("spare-1"), "port": 6443}
	})
	forwarded := func(l *lab) {
		forward(l, "spare-1", l.address("cp-1"))
		l.there()
	}
	promises(t, l, forwarded, []promise{
		{"a balancer of the user's own", func(_ *testing.T, l *lab) {
			l.wantReady("cp-1", "worker-1")
			l.planIsEmpty()
		}},
	})
}

func loadBalancersComeUp(t *testing.T, l *lab) {
	l.init()
	l.wantReady("cp-1", "worker-1")
	l.healthy()
	l.planIsEmpty()
	for _, host := range []string{"lb-1", "lb-2"} {
		if out := l.exec(host, "sh", "-c", "ls -d /etc/containerd /usr/bin/kubelet /etc/kubernetes/manifests /opt/slipway/bin/kube 2>/dev/null; ls -A /var/lib/containerd /var/lib/kubelet 2>/dev/null | grep -v : | grep . || true"); out != "" {
			t.Errorf("%s is no node, and has %s", host, out)
		}
	}
}

// resetHosts resets the whole cluster, and wants nothing left on these hosts.
func resetHosts(l *lab, hosts ...string) {
	l.t.Helper()
	l.must(l.onCluster("reset", "--all", "--yes")...)
	l.made = false
	for _, host := range hosts {
		nothingLeft(l, host)
	}
}

// forward has a host be a balancer of the user's own: it leads port 6443 to another host's.
func forward(l *lab, host, to string) {
	l.t.Helper()
	l.exec(host, "sh", "-c", `systemctl stop forward.socket forward.service 2>/dev/null; systemctl reset-failed 2>/dev/null;
		systemd-run --unit=forward --socket-property=ListenStream=6443 /lib/systemd/systemd-socket-proxyd `+to+":6443")
}

// endpointSurvivesHolder takes the power of whoever has the endpoint's address.
func endpointSurvivesHolder(t *testing.T, l *lab) { survives(t, l, "kill", l.status().Holders[0]) }

// survives kills or stops a host while a worker writes: the endpoint is back in time, nothing
// that was acknowledged is lost, and the host comes back by itself.
func survives(t *testing.T, l *lab, verb, victim string) {
	t.Helper()
	w := l.startWriter("worker-1", "writes")
	began := time.Now()
	l.power(verb, victim)
	w.acknowledges(backInTime, began.Add(time.Second))
	t.Logf("%s %s: gap %.2f s", verb, victim, w.log().Gap(began).Seconds())
	l.power("start", victim)
	l.healthy()
	w.stop()
}

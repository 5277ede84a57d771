package e2e

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// backInTime bounds how long the endpoint may be away when a control plane dies. What it
// takes on a quiet machine is measured by make bench.
const backInTime = 8 * time.Second

// promise is one subtest.
type promise struct {
	name string
	keep func(*testing.T, *lab)
}

// promises keeps them one after another; after one that is broken, the rest means nothing.
// Before each, what it begins from is seen to, so that none needs another to have run: any
// may be run alone (go test -run 'TestCluster/ha_test').
func promises(t *testing.T, l *lab, before func(*lab), list []promise) {
	for _, p := range list {
		t.Run(p.name, func(t *testing.T) {
			sub := *l
			sub.t = t
			defer func() { l.made, l.bundle = sub.made, sub.bundle }()
			if before != nil {
				before(&sub)
			}
			p.keep(t, &sub)
		})
		if t.Failed() {
			t.FailNow()
		}
	}
}

// there has the cluster made.
func (l *lab) there() {
	l.t.Helper()
	if !l.made {
		l.init()
	}
}

// well has the cluster there and healthy.
func (l *lab) well() {
	l.t.Helper()
	l.there()
	l.healthy()
}

var threePlanes = []string{"cp-1", "cp-2", "cp-3", "worker-1"}

// initThreePlanes makes a cluster of the older version, which the next promises upgrade. It kills init
// -9 after its first step, and in the middle; then it completes.
// One of the hosts has root make files that nobody else may read.
func initThreePlanes(t *testing.T, l *lab) {
	l.bundle = olderBundleFile() // the upgrade comes next
	l.exec("cp-2", "sed", "-i", "1i umask 077", "/root/.bashrc")
	killAfter(l, 1)
	killAfter(l, len(l.planned())/2)
	l.initAfterKill()
	l.wantReady(threePlanes...)
	if out := l.exec("cp-1", "kubectl", "get", "nodes", "-o", "name"); !strings.Contains(out, "node/worker-1") {
		t.Errorf("kubectl for root on a control plane: %s", out)
	}
	imagesArePinned(t, l, "cp-1")
	l.planIsEmpty()
	s := l.status()
	if len(s.Members) != 3 || s.leader() == "" || len(s.Holders) != 1 {
		t.Errorf("want three members, a leader and a holder, got %+v", s)
	}
	for _, host := range threePlanes[:3] {
		if out := l.exec(host, "find", "/etc/haproxy", "/etc/keepalived", "/opt/slipway/components", "-perm", "/022", "!", "-type", "l"); out != "" {
			t.Errorf("%s: others than root may write %s", host, out)
		}
		sockets := l.exec(host, "sh", "-c", "stat -L -c '%a %n' /run/haproxy/*.sock; stat -L -c '%a %n' /run/haproxy/")
		for line := range strings.Lines(sockets) {
			if mode := strings.Fields(line)[0]; mode != "600" && mode != "700" {
				t.Errorf("%s: haproxy's socket is for more than its owner: %s", host, line)
			}
		}
		if out := l.exec(host, "ss", "-Hltn", "sport", "!=", ":16443"); strings.Contains(out, ":8404") || strings.Contains(out, ":9000") {
			t.Errorf("%s: haproxy's statistics are on the network: %s", host, out)
		}
	}
}

// statusView is what the tests read of status -o json.
type statusView struct {
	Reachable bool     `json:"reachable"`
	Holders   []string `json:"holders"`
	Members   []struct {
		Name    string `json:"name"`
		Leader  bool   `json:"leader"`
		Learner bool   `json:"learner"`
		Healthy bool   `json:"healthy"`
	} `json:"members"`
}

func (s statusView) leader() string {
	for _, m := range s.Members {
		if m.Leader {
			return m.Name
		}
	}
	return ""
}

func (l *lab) status() statusView {
	l.t.Helper()
	var s statusView
	l.decode(l.run(l.onCluster("status", "-o", "json")...).stdout, &s)
	return s
}

// recovery bounds how long a cluster may take until it is well by itself. It is for finding
// what never is; how long it takes shows in make bench and depends on the machine.
const recovery = 3 * time.Minute

// healthy waits until status finds nothing wrong.
func (l *lab) healthy() {
	l.t.Helper()
	eventually(l.t, l.within(recovery), "the cluster is healthy", func() error {
		if r := l.run(l.onCluster("status")...); r.code != 0 {
			return fmt.Errorf("status: %s", r)
		}
		return nil
	})
}

func (l *lab) power(verb string, hosts ...string) {
	l.t.Helper()
	l.must(append([]string{"lab", verb, "--name", l.name}, hosts...)...)
}

// killHolderAndLeader kills whoever holds the address, and then whoever leads etcd.
func killHolderAndLeader(t *testing.T, l *lab) {
	killEach(t, l, func(s statusView) string { return s.Holders[0] }, statusView.leader)
}

// killEach kills control planes one after another, with a client that writes; each comes
// back by itself when its power does. Whose turn it is, is chosen by what status shows then.
func killEach(t *testing.T, l *lab, victims ...func(statusView) string) {
	t.Helper()
	w := l.startWriter("worker-1", "writes-kill")
	for _, choose := range victims {
		s := l.status()
		victim := choose(s)
		began := time.Now()
		l.power("kill", victim)
		w.acknowledges(backInTime, began.Add(time.Second))
		t.Logf("%s killed (address on %v, etcd led by %s): gap %.2f s", victim, s.Holders, s.leader(), w.log().Gap(began).Seconds())
		if gap := w.log().Gap(began); gap > backInTime {
			t.Errorf("%s killed: no write was acknowledged for %s", victim, gap)
		}
		l.power("start", victim)
		l.healthy()
	}
	w.stop()
	l.wantReady(threePlanes...)
}

// killKeepalived kills all of keepalived on the address's holder, with no chance to tidy up.
func killKeepalived(t *testing.T, l *lab) {
	holder := l.status().Holders[0]
	address := l.virtualAddress()
	l.exec(holder, "pkill", "-9", "-x", "keepalived")
	// Long enough for the others to miss it, and for a second holder to appear.
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	var last []string
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); <-ticker.C {
		last = nil
		for _, host := range threePlanes[:3] {
			if strings.Contains(l.exec(host, "ip", "-o", "address"), " "+address+"/") {
				last = append(last, host)
			}
		}
		if len(last) > 1 {
			t.Fatalf("%s is on %v at once", address, last)
		}
	}
	if len(last) != 1 {
		t.Errorf("%s is on no host", address)
	}
	l.healthy()
}

// askTheWrongHost has the worker take a host for the address's holder that is not: what it
// sends there would else be lost, or go a way on which no answer comes once the address moves.
func askTheWrongHost(t *testing.T, l *lab) {
	address, holder := l.virtualAddress(), l.status().Holders[0]
	wrong := threePlanes[0]
	if wrong == holder {
		wrong = threePlanes[1]
	}
	link := strings.TrimSpace(l.exec(wrong, "cat", "/sys/class/net/eth0/address"))
	l.exec("worker-1", "ip", "neigh", "replace", address, "lladdr", link, "dev", "eth0", "nud", "permanent")
	defer l.exec("worker-1", "ip", "neigh", "del", address, "dev", "eth0")
	asking := fmt.Sprintf("curl -sk -o /dev/null -w '%%{http_code} ' --max-time 0.5 https://%s/readyz; echo $?", net.JoinHostPort(address, "16443"))
	if out := strings.TrimSpace(l.exec("worker-1", "sh", "-c", asking)); out != "000 7" { // 7: refused
		t.Errorf("%s, which has not the address, was asked for it: %q, want curl to be refused", wrong, out)
	}
}

// virtualAddress is the address of the endpoint in status.
func (l *lab) virtualAddress() string {
	l.t.Helper()
	var s struct {
		Address string `json:"virtualAddress"`
	}
	l.decode(l.run(l.onCluster("status", "-o", "json")...).stdout, &s)
	if s.Address == "" {
		l.t.Fatal("status shows no virtual address")
	}
	return s.Address
}

// handover stops on etcd's leader what a shutdown stops first, and only that: another leads,
// and nobody had to find out that one is missing. Then the host is really shut down.
func handover(t *testing.T, l *lab) {
	leader := l.status().leader()
	out := l.exec(leader, "sh", "-c", "systemctl stop etcd-handover.service && journalctl -u etcd-handover.service -o cat --no-pager")
	if now := l.status().leader(); now == leader || !strings.Contains(out, now+" leads now") {
		t.Errorf("%s led and %s leads now: %s", leader, now, out)
	}
	l.exec(leader, "systemctl", "start", "etcd-handover.service")
	survives(t, l, "stop", l.status().leader())
}

func partition(t *testing.T, l *lab) {
	w := l.startWriter("worker-1", "writes-partition")
	holder := l.status().Holders[0]
	began := time.Now()
	l.must("lab", "link", "--name", l.name, holder, "down")
	w.acknowledges(backInTime, began.Add(time.Second))
	t.Logf("%s cut off: gap %.2f s", holder, w.log().Gap(began).Seconds())
	l.must("lab", "link", "--name", l.name, holder, "up")
	l.healthy()
	w.stop()
}

func haTest(t *testing.T, l *lab) {
	out := l.must(l.onCluster("ha", "test", "--yes")...)
	for _, host := range threePlanes[:3] {
		if !strings.Contains(out, host) {
			t.Errorf("ha test does not tell of %s:\n%s", host, out)
		}
	}
	t.Log(out)
	l.healthy()
	l.planIsEmpty()
}

func resetAndRejoinPlane(t *testing.T, l *lab) {
	w := l.startWriter("worker-1", "writes-reset")
	victim := l.status().Holders[0]
	began := time.Now()
	l.must(l.onCluster("reset", victim, "--yes")...)
	if gap := w.log().Gap(began); gap > backInTime {
		t.Errorf("the reset of %s: no write was acknowledged for %s", victim, gap)
	}
	t.Logf("%s (it had the address) reset: gap %.2f s", victim, w.log().Gap(began).Seconds())
	nothingLeft(l, victim)
	if s := l.status(); len(s.Members) != 2 || slices.Contains(s.Holders, victim) {
		t.Errorf("after the reset of %s: %+v", victim, s)
	}
	began = time.Now()
	l.must(l.withBundle("join", "--yes")...)
	t.Logf("%s joined again: gap %.2f s", victim, w.log().Gap(began).Seconds())
	w.stop()
	l.wantReady(threePlanes...)
	l.healthy()
	l.planIsEmpty()
}

func resetRefusedForQuorum(t *testing.T, l *lab) {
	l.power("kill", "cp-3")
	l.wantCode(4, "Quorum", l.onCluster("reset", "cp-2", "--yes")...)
	l.power("start", "cp-3")
	l.healthy()
}

func replaceFirstPlane(t *testing.T, l *lab) {
	l.power("kill", "cp-1")
	l.wantCode(4, "not dead", l.onCluster("remove", "cp-2", "--offline", "--yes")...)
	eventually(t, 2*time.Minute, "the cluster has noticed, and the dead host is removed", func() error {
		if r := l.run(l.onCluster("remove", "cp-1", "--offline", "--yes")...); r.code != 0 {
			return fmt.Errorf("remove: %s", r)
		}
		return nil
	})
	l.wantReady("cp-2", "cp-3", "worker-1")
	l.up("--control-planes", "4", "--workers", "1", "--spares", "1")
	if err := os.Rename(withoutHost(t, l, "cp-1"), l.file); err != nil { // from here on it is the cluster's file
		t.Fatal(err)
	}
	l.must(l.withBundle("join", "--yes")...)
	l.wantReady("cp-2", "cp-3", "cp-4", "worker-1")
	l.healthy()
	l.planIsEmpty()
	if s := l.status(); len(s.Members) != 3 {
		t.Errorf("members after the replacement: %+v", s.Members)
	}
}

//go:build vm

package e2e

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/slipway-k8s/slipway/cluster"
)

// The tests of this file run on virtual machines with a kernel of their own (lab up --kind vm): what
// control groups version 2, swap, modules, firewalls, AppArmor and SELinux do to a host no namespace
// shows. They take long where the machine has no KVM, so they have a target of their own, make test-vm,
// and one machine at a time where one is enough.

// emulated is how many times slower than a lab's other hosts an emulated machine is, at most.
const emulated = 6

// slowPlane is what docs/waits.md says of control planes that are as slow as emulated ones.
const slowPlane = `
certificates: {keyAlgorithm: ECDSA-P256}
timeouts:
  limit: 50m
extraArgs:
  controllerManager: &lease
    - {name: leader-elect-lease-duration, value: 2m}
    - {name: leader-elect-renew-deadline, value: 100s}
    - {name: leader-elect-retry-period, value: 10s}
  scheduler: *lease
`

// newMachines boots virtual machines for a cluster whose kube-proxy has this mode.
func newMachines(t *testing.T, mode string, flags ...string) *lab {
	t.Helper()
	l := emptyLab(t)
	l.slowness = emulated
	l.up(append([]string{"--kind", "vm"}, flags...)...)
	file, err := os.OpenFile(l.file, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s---\napiVersion: %s\nkind: %s\nmode: %s\n", slowPlane, cluster.KubeProxyAPIVersion, cluster.KubeProxyKind, mode)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dressed has a machine be as its owner has it before Slipway comes, and tells how it looks then, after
// a boot: what is set up and is only in the running kernel would be gone by the next.
func dressed(l *lab, host, script string) (before string) {
	l.t.Helper()
	l.exec(host, "sh", "-euc", script)
	l.reboots(host)
	return l.exec(host, "sh", "-c", look)
}

// reboots has a host boot again by itself, and waits until it has.
func (l *lab) reboots(host string) {
	l.t.Helper()
	l.power("stop", host)
	l.power("start", host)
}

// useful wants the cluster to do what clusters do.
func useful(l *lab) {
	l.t.Helper()
	l.must(l.onCluster("smoke")...)
}

// TestVMOrdinary is the walk on Debian as most have it: control groups version 2, AppArmor, swap in
// fstab and as a unit, ufw, and no module loaded that a cluster needs; and its power button is pressed.
func TestVMOrdinary(t *testing.T) {
	l := newMachines(t, "iptables", "--control-planes", "1")
	before := dressed(l, "cp-1", `
		fallocate -l 64M /swap.img; chmod 600 /swap.img; mkswap -q /swap.img; echo '/swap.img none swap sw 0 0' >> /etc/fstab
		fallocate -l 64M /swap2.img; chmod 600 /swap2.img; mkswap -q /swap2.img
		printf '[Swap]\nWhat=/swap2.img\n[Install]\nWantedBy=swap.target\n' > /etc/systemd/system/swap2.img.swap
		systemctl enable swap2.img.swap
		ufw allow 22/tcp; ufw --force enable`)
	wantOn(t, l, "cp-1", "control groups", "stat -f -c %T /sys/fs/cgroup", "cgroup2fs")
	wantOn(t, l, "cp-1", "swaps", "swapon --noheadings | wc -l", "2")
	wantOn(t, l, "cp-1", "modules", "lsmod | grep -cE '^(overlay|br_netfilter|vxlan|ip_vs) ' || true", "0")
	promises(t, l, nil, []promise{
		{"init, with the firewall on and reloaded", func(t *testing.T, l *lab) {
			l.init()
			l.exec("cp-1", "ufw", "reload")
			useful(l)
			wantOn(t, l, "cp-1", "swaps", "swapon --noheadings | wc -l", "0")
			wantOn(t, l, "cp-1", "ufw", "ufw status | head -1", "Status: active")
			wantOn(t, l, "cp-1", "kube-proxy's rules", proxyShows["iptables"], "1")
			wantOn(t, l, "cp-1", "Pods' slice", "ls -d /sys/fs/cgroup/kubepods.slice", "/sys/fs/cgroup/kubepods.slice")
			confined(t, l)
		}},
		{"a power-off in order, a boot of its own, and one by slipway", func(t *testing.T, l *lab) {
			l.reboots("cp-1")
			shutdownOrder(t, l)
			l.healthy()
			l.must(l.onCluster("reboot", "cp-1", "--yes")...)
			l.wantReady("cp-1")
			useful(l)
			l.planIsEmpty()
			wantOn(t, l, "cp-1", "swaps", "swapon --noheadings | wc -l", "0")
		}},
		{"reset gives the machine back as it was", func(t *testing.T, l *lab) {
			l.must(l.onCluster("reset", "--all", "--yes")...)
			nothingLeft(l, "cp-1")
			wantUnchanged(t, l, "cp-1", before)
			wantUnchangedByBoot(t, l, "cp-1", before)
		}},
	})
}

// confined wants an ordinary Pod's process to have containerd's AppArmor profile.
func confined(t *testing.T, l *lab) {
	t.Helper()
	script := `for pid in $(pgrep coredns); do cat /proc/$pid/attr/current; done | sort -u`
	wantOn(t, l, "cp-1", "CoreDNS's AppArmor profile", script, "cri-containerd.apparmor.d (enforce)")
}

// TestVMHardened is the walk on a machine with firewalld on nftables and SELinux enforcing, by Debian's
// policy: it is not EL's, which docs/hosts.md says. Its plug is pulled while the cluster works.
func TestVMHardened(t *testing.T) {
	l := newMachines(t, "nftables", "--control-planes", "1", "--kernel", "generic", "--kernel-args", "security=selinux,selinux=1,enforcing=1")
	// Debian's policy keeps firewalld's answers from whoever is logged in: firewall-cmd gets none either.
	before := dressed(l, "cp-1", `
		echo '(allow firewalld_t unconfined_t (dbus (send_msg)))' > /root/firewalld-answers.cil
		semodule -i /root/firewalld-answers.cil
		systemctl enable firewalld`)
	wantOn(t, l, "cp-1", "SELinux", "getenforce", "Enforcing")
	wantOn(t, l, "cp-1", "firewalld", "firewall-cmd --state", "running")
	promises(t, l, nil, []promise{
		{"init, with firewalld on and reloaded and SELinux enforcing", func(t *testing.T, l *lab) {
			l.init()
			l.exec("cp-1", "firewall-cmd", "--reload")
			useful(l)
			wantOn(t, l, "cp-1", "kube-proxy's rules", proxyShows["nftables"], "1")
			stillHardened(t, l)
		}},
		{"a cold boot after the plug was pulled, and firewalld's restart", func(t *testing.T, l *lab) {
			l.kubectl("create", "configmap", "acknowledged", "--from-literal=a=b")
			l.power("kill", "cp-1")
			l.power("start", "cp-1")
			l.healthy()
			l.kubectl("get", "configmap", "acknowledged")
			l.exec("cp-1", "systemctl", "restart", "firewalld")
			useful(l)
			l.planIsEmpty()
			stillHardened(t, l)
		}},
		{"reset gives the machine back as it was", func(t *testing.T, l *lab) {
			l.must(l.onCluster("reset", "--all", "--yes")...)
			nothingLeft(l, "cp-1")
			wantUnchangedByBoot(t, l, "cp-1", before)
		}},
	})
}

// stillHardened wants that nothing was switched off, and that SELinux has refused nothing of the cluster. Where the
// policy has not container-selinux's type, the kubelet may not label its folder by it (mac_admin), says so, and goes on.
func stillHardened(t *testing.T, l *lab) {
	t.Helper()
	wantOn(t, l, "cp-1", "SELinux", "getenforce", "Enforcing")
	wantOn(t, l, "cp-1", "firewalld", "firewall-cmd --state", "running")
	denied := l.exec("cp-1", "sh", "-c", `journalctl -k -b -o cat | grep 'avc:  denied' | grep -E 'slipway|kube|containerd|etcd|haproxy|keepalived|runc|flannel|coredns|pause' | grep -v '{ mac_admin }.*comm="kubelet"' | head -20 || true`)
	if denied != "" {
		t.Errorf("SELinux refused:\n%s", denied)
	}
}

// proxyShows is what is in the kernel where kube-proxy works in a mode. Each of the tests has another one.
var proxyShows = map[string]string{
	"nftables": "nft list table ip kube-proxy | grep -c 'chain services'",
	"iptables": "iptables-save -t nat | grep -c '^:KUBE-SERVICES'",
	"ipvs":     "test -s /proc/net/ip_vs && ip -o link show kube-ipvs0 | grep -c kube-ipvs0",
}

// shutdownOrder reads the boot before in the host's journal: first etcd's leadership is handed over, then the kubelet
// stops, so that it starts nothing again, then the containers; and nothing had to be killed.
func shutdownOrder(t *testing.T, l *lab) {
	t.Helper()
	journal := l.exec("cp-1", "sh", "-c", "journalctl -b -1 -o short-monotonic --no-pager _PID=1 | grep -E '(Stopping|Stopped) (cri-containerd-|kubelet|etcd-handover)|timed out' | tail -100")
	at := -1
	for _, says := range []string{"Stopping etcd-handover.service", "Stopped etcd-handover.service", "Stopped kubelet.service", "Stopping cri-containerd-", "Stopped cri-containerd-"} {
		next := strings.Index(journal, says)
		if next < at || next < 0 {
			t.Errorf("%q does not come in its turn; the boot before ends:\n%s", says, journal)
		}
		at = next
	}
	if strings.Contains(journal, "timed out") {
		t.Errorf("something was killed at the end of the boot before:\n%s", journal)
	}
}

// TestVMJoin has two machines, and the worker's card has an MTU of 1400: what the control plane sends by its
// card's 1500 would be lost, so init refuses to begin until what it says to type was typed.
func TestVMJoin(t *testing.T) {
	l := newMachines(t, "ipvs", "--control-planes", "1")
	l.up("--kind", "vm", "--workers", "1", "--mtu", "1400")
	wantOn(t, l, "worker-1", "MTU", "cat /sys/class/net/eth0/mtu", "1400")
	const fix = "ip link set dev eth0 mtu 1400"
	refused := l.wantCode(4, "on cp-1: "+fix, l.withBundle("init", "--yes")...)
	if said := refused.stdout + refused.stderr; strings.Count(said, "✗") != 1 {
		t.Errorf("more than the MTU is in the way:\n%s", said)
	}
	l.exec("cp-1", "sh", "-c", fix)
	l.init()
	l.wantReady("cp-1", "worker-1")
	for _, host := range []string{"cp-1", "worker-1"} {
		wantOn(t, l, host, "flannel's MTU", "cat /sys/class/net/flannel.1/mtu", "1350")
	}
	useful(l)
	wantOn(t, l, "worker-1", "kube-proxy's rules", proxyShows["ipvs"], "1")
	l.must(l.onCluster("reset", "worker-1", "--yes")...)
	l.must(l.withBundle("join", "--yes")...)
	l.wantReady("cp-1", "worker-1")
	l.planIsEmpty()
}

package phases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
)

// The floor: what a host's system must at least be. Red Hat's release 8 and its kin are
// just above it, release 7 is below.
const (
	kernelMajor, kernelMinor = 4, 18
	systemdFloor             = 239
)

// The oldest kernel that kubeadm's own checks know.
const supportedMajor, supportedMinor = 5, 4

// kubeadm's demands on a control plane.
const (
	leastCPUs   = 2
	leastMemory = 1700 << 20
)

func checkPrivilege(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if facts.User == "root" {
		return nil
	}
	return []Problem{problem("privilege", host, connectionFixes[hosts.KindPrivilege], "Slipway runs there as %s, not as root", orNothing(facts.User))}
}

func checkKernel(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	var major, minor int
	if _, err := fmt.Sscanf(facts.Kernel, "%d.%d", &major, &minor); err != nil {
		return []Problem{warning("kernel", host, "", "its version %q cannot be read", facts.Kernel)}
	}
	older := func(thanMajor, thanMinor int) bool {
		return major < thanMajor || major == thanMajor && minor < thanMinor
	}
	const newer = "take a newer release of the system"
	switch {
	case older(kernelMajor, kernelMinor):
		return []Problem{problem("kernel", host, newer, "%s has kernel %s; Kubernetes needs %d.%d or newer",
			facts.OS.Pretty, facts.Kernel, kernelMajor, kernelMinor)}
	case older(supportedMajor, supportedMinor):
		return []Problem{warning("kernel", host, newer, "%s has kernel %s; Kubernetes is tested with %d.%d or newer",
			facts.OS.Pretty, facts.Kernel, supportedMajor, supportedMinor)}
	}
	return nil
}

func checkSystemd(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	switch version, state := facts.Systemd.Version, facts.Systemd.State; {
	case version == 0:
		return []Problem{problem("systemd", host, "take a host that systemd boots", "systemd does not run")}
	case version < systemdFloor:
		return []Problem{problem("systemd", host, "take a newer release of the system",
			"systemd %d is too old; %d or newer is needed", version, systemdFloor)}
	case state == "starting" || state == "initializing" || state == "stopping" || state == "maintenance":
		return []Problem{warning("systemd", host, "systemctl list-jobs", "the system is %s", state)}
	}
	return nil
}

func checkCgroups(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	var missing []string
	for _, controller := range []string{"cpu", "cpuset", "memory", "pids"} {
		if !slices.Contains(facts.Cgroup.Controllers, controller) {
			missing = append(missing, controller)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []Problem{problem("cgroups", host,
		"see the kernel's command line for cgroup_disable; some boards need cgroup_enable=memory cgroup_enable=cpuset",
		"the kernel gives no control group for %s", strings.Join(missing, ", "))}
}

func checkFileSystem(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if facts.OverlayFS {
		return nil
	}
	return []Problem{warning("overlay", host,
		"modprobe overlay; /var/lib/containerd has to be on ext4, or on xfs made with ftype=1",
		"/var/lib/containerd cannot carry overlay file systems: containers use copies, which takes time and space")}
}

func checkPacketFilter(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if facts.NFTables || facts.IPTables {
		return nil
	}
	return []Problem{problem("packet-filter", host, "modprobe nf_tables", "the kernel carries neither nftables nor iptables")}
}

func checkPlatform(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	if in.Bill.Platform == (bundle.Platform{}) {
		return nil
	}
	if err := in.Bill.Runs(bundle.Platform{OS: "linux", Arch: facts.Arch}); err != nil {
		return []Problem{problem("bundle", host, "take a bundle for linux/"+facts.Arch, "%v", err)}
	}
	return nil
}

func checkCPUs(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if !host.HasRole(cluster.RoleControlPlane) || facts.CPUs >= leastCPUs {
		return nil
	}
	return []Problem{problem("cpus", host, "give the host more", "%d CPU; a control plane needs %d", facts.CPUs, leastCPUs)}
}

func checkMemory(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if !host.HasRole(cluster.RoleControlPlane) || facts.Memory >= leastMemory {
		return nil
	}
	return []Problem{problem("memory", host, "give the host more",
		"%d MiB of memory; a control plane needs %d", facts.Memory>>20, int64(leastMemory)>>20)}
}

func checkSwap(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if len(facts.Swaps) == 0 {
		return nil
	}
	return []Problem{warning("swap", host, "", "swap is on (%s): it is turned off, for the next boot as well; reset turns it on again",
		strings.Join(facts.Swaps, ", "))}
}

func checkSELinux(_ Input, host cluster.Host, facts hosts.Facts) []Problem {
	if facts.SELinux != "enforcing" {
		return nil
	}
	return []Problem{warning("selinux", host, "dnf install container-selinux, or: setenforce 0",
		"SELinux is enforcing: containers need its policy for containers")}
}

// checkForeign tells of what is not Slipway's and in its way: of a haproxy or keepalived
// only where Slipway brings its own, of a container runtime or kubelet only on a node.
func checkForeign(in Input, host cluster.Host, facts hosts.Facts) []Problem {
	var problems []Problem
	for _, foreign := range facts.Foreign {
		inTheWay := host.IsNode()
		switch foreign.What {
		case "haproxy":
			inTheWay = in.Cluster.Balances(host)
		case "keepalived":
			inTheWay = in.Cluster.MayHold(host)
		}
		if inTheWay {
			problems = append(problems, problem("foreign", host, foreign.Fix, "%s is there and is not Slipway's: %s", foreign.What, foreign.Detail))
		}
	}
	return problems
}

package checks

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
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

func unprivileged(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.User != "root",
		finding(connectionFixes[hosts.KindPrivilege], "Slipway runs there as %s, not as root", cmp.Or(facts.User, "empty")))
}

func oldKernel(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var major, minor int
	if _, err := fmt.Sscanf(facts.Kernel, "%d.%d", &major, &minor); err != nil {
		return []Finding{warning("", "its version %q cannot be read", facts.Kernel)}
	}
	older := func(thanMajor, thanMinor int) bool {
		return major < thanMajor || major == thanMajor && minor < thanMinor
	}
	const newer = "take a newer release of the system"
	switch {
	case older(kernelMajor, kernelMinor):
		return []Finding{finding(newer, "%s has kernel %s; Kubernetes needs %d.%d or newer",
			facts.OS.Pretty, facts.Kernel, kernelMajor, kernelMinor)}
	case older(supportedMajor, supportedMinor):
		return []Finding{warning(newer, "%s has kernel %s; Kubernetes is tested with %d.%d or newer",
			facts.OS.Pretty, facts.Kernel, supportedMajor, supportedMinor)}
	}
	return nil
}

func oldSystemd(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	switch version, state := facts.Systemd.Version, facts.Systemd.State; {
	case version == 0:
		return []Finding{finding("take a host that systemd boots", "systemd does not run")}
	case version < systemdFloor:
		return []Finding{finding("take a newer release of the system",
			"systemd %d is too old; %d or newer is needed", version, systemdFloor)}
	case state == "starting" || state == "initializing" || state == "stopping" || state == "maintenance":
		return []Finding{warning("systemctl list-jobs", "the system is %s", state)}
	}
	return nil
}

func missingCgroups(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var missing []string
	for _, controller := range []string{"cpu", "cpuset", "memory", "pids"} {
		if !slices.Contains(facts.Cgroup.Controllers, controller) {
			missing = append(missing, controller)
		}
	}
	return when(len(missing) > 0,
		finding("see the kernel's command line for cgroup_disable; some boards need cgroup_enable=memory cgroup_enable=cpuset",
			"the kernel gives no control group for %s", strings.Join(missing, ", ")))
}

func noOverlayFS(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(!facts.OverlayFS,
		warning("modprobe overlay; /var/lib/containerd has to be on ext4, or on xfs made with ftype=1",
			"/var/lib/containerd cannot carry overlay file systems: containers use copies, which takes time and space"))
}

func noPacketFilter(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(!facts.NFTables && !facts.IPTables,
		finding("modprobe nf_tables", "the kernel carries neither nftables nor iptables"))
}

func fewCPUs(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.CPUs < leastCPUs,
		finding("give the host more", "%d CPU; a control plane needs %d", facts.CPUs, leastCPUs))
}

func littleMemory(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.Memory < leastMemory, finding("give the host more",
		"%d MiB of memory; a control plane needs %d", facts.Memory>>20, int64(leastMemory)>>20))
}

// What hosts without a control plane should have: the kubelet, containerd, kube-proxy and the network with
// the kubelet's own reserve; or haproxy and keepalived alone.
const (
	workersMemory   = 900 << 20
	balancersMemory = 300 << 20
)

func littleMemoryElsewhere(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	least, what := int64(workersMemory), "a worker's own programs take about"
	if !host.IsNode() {
		least, what = balancersMemory, "a load balancer takes about"
	}
	return when(!host.HasRole(cluster.RoleControlPlane) && facts.Memory > 0 && facts.Memory < least,
		warning("give the host more", "%d MiB of memory; %s %d", facts.Memory>>20, what, least>>20))
}

func swapOn(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if v.Cluster.KeepsSwap() {
		return when(len(facts.Swaps) > 0 && facts.Cgroup.Version == 1, warning("boot the host with control groups version 2",
			"swap stays on (%s), as failSwapOn is false; with control groups version 1 no Pod's use of it can be limited", strings.Join(facts.Swaps, ", ")))
	}
	return when(len(facts.Swaps) > 0,
		warning("", "swap is on (%s): it is turned off, for the next boot as well; reset turns it on again",
			strings.Join(facts.Swaps, ", ")))
}

// noTimeService tells of a host on which nothing could ask the time servers of the cluster file.
func noTimeService(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	switch at := facts.TimeSettings; {
	case len(v.Cluster.Prepare.NTP.Servers) == 0:
	case at.Fixed:
		return []Finding{warning("have its machine ask them", "nothing on it may set its clock, which is its machine's: the servers of prepare.ntp.servers are not set there")}
	case at.Service == "":
		return []Finding{finding("apt install chrony, or: dnf install chrony", "it has neither chrony nor systemd-timesyncd, and prepare.ntp.servers names who is to be asked for the time")}
	case at.Unread:
		return []Finding{finding("mkdir -p /etc/chrony/sources.d && echo 'sourcedir /etc/chrony/sources.d' >> /etc/chrony.conf",
			"chrony's configuration reads no folder that the servers of prepare.ntp.servers could be put into")}
	}
	return nil
}

func unlabelled(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	return when(facts.SELinux != "" && len(facts.SELinuxPolicy.Lacks) > 0,
		finding("dnf install policycoreutils, or: apt install policycoreutils", "SELinux is %s, and there is no %s: what Slipway writes could not be labelled",
			facts.SELinux, strings.Join(facts.SELinuxPolicy.Lacks, " and no ")))
}

// foreignSoftware tells of what is not Slipway's and in its way: of a haproxy or keepalived
// only where Slipway brings its own, of a container runtime or kubelet only on a node.
func foreignSoftware(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	for _, foreign := range facts.Foreign {
		inTheWay := host.IsNode()
		switch foreign.What {
		case "haproxy":
			inTheWay = v.Cluster.Balances(host)
		case "keepalived":
			inTheWay = v.Cluster.MayHold(host)
		}
		if inTheWay {
			all = append(all, finding(foreign.Fix, "%s is there and is not Slipway's: %s", foreign.What, foreign.Detail))
		}
	}
	return all
}

// undoneAtBoot tells what the next boot would undo. The kubelet's unit puts it right before the
// kubelet starts; who meant it otherwise should know.
func undoneAtBoot(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	var all []Finding
	for _, key := range slices.Sorted(maps.Keys(facts.Boot.Sysctls)) {
		set := facts.Boot.Sysctls[key]
		if path.Base(set.File) <= path.Base(manifests.SysctlFile) || manifests.SysctlSuffices(v.Cluster, key, set.Value) {
			continue
		}
		all = append(all, warning("take the line out of "+set.File,
			"at each boot %s sets %s to %s, after Slipway's own file: the kubelet's unit sets it right again before the kubelet starts", set.File, key, set.Value))
	}
	for _, module := range slices.Sorted(maps.Keys(facts.Boot.Barred)) {
		barred := facts.Boot.Barred[module]
		fix := "take the line out of " + barred.File
		switch {
		case !barred.Always:
			all = append(all, warning(fix,
				"%s keeps the kernel module %s from being loaded at boot: the kubelet's unit loads it before the kubelet starts", barred.File, module))
		case facts.Modules[module]:
			all = append(all, warning(fix,
				"%s keeps the kernel module %s from being loaded: it is there now, and will not be after a reboot", barred.File, module))
		default:
			all = append(all, finding(fix,
				"%s keeps the kernel module %s, which Kubernetes needs, from being loaded", barred.File, module))
		}
	}
	return append(all, hostsFileProblems(v, host, facts)...)
}

// hostsFileProblems tells what cloud-init takes out of /etc/hosts at the next boot. A line that
// is not Slipway's, nobody puts back.
func hostsFileProblems(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Boot.HostsWriter == "" {
		return nil
	}
	leave := "set manage_etc_hosts to false there"
	if strings.HasPrefix(facts.Boot.HostsWriter, "/var/lib/cloud/") { // cloud-init writes that file itself
		leave = "set manage_etc_hosts to false in the machine's user data, which goes before the vendor's"
	}
	var all []Finding
	entries := manifests.HostsEntries(v.Cluster, facts)
	if len(entries) > 0 {
		all = append(all, warning(leave+", or have the DNS know "+entries[0].Names[0],
			"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line for the endpoint: the kubelet's unit adds it again before the kubelet starts", facts.Boot.HostsWriter))
	}
	for i, name := range view.NeededNames(v.Cluster, host) {
		told := i == 0 && len(entries) > 0 // the first is the endpoint's
		if !told && slices.Contains(facts.Boot.HostsNames, strings.ToLower(name)) {
			all = append(all, warning(leave+", have the DNS know "+name+", or write the line into cloud-init's template (/etc/cloud/templates/hosts.*.tmpl) too",
				"at each boot cloud-init writes /etc/hosts anew (manage_etc_hosts in %s), without the line that it has for %s now", facts.Boot.HostsWriter, name))
		}
	}
	return all
}

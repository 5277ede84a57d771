package checks

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// extraModulesFile is a file of the user's own: manifests.ModulesFile init writes anew, without what was added.
const extraModulesFile = "/etc/modules-load.d/kubernetes-extra.conf"

// missingModules are kernel modules that Kubernetes, its network or its proxy needs, and that the kernel neither has
// nor can load.
func missingModules(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil {
		return nil
	}
	var absent, locked []string
	for _, name := range slices.Sorted(maps.Keys(facts.Conditions.Modules)) {
		switch {
		case facts.Conditions.Modules[name]:
		case facts.Conditions.ModulesLocked:
			locked = append(locked, name)
		default:
			absent = append(absent, name)
		}
	}
	return append(
		when(len(absent) > 0, finding("install the kernel's package of modules that belongs to "+facts.Kernel+" (linux-modules-extra-…, linux-modules-extra-raspi, kernel-modules-core), or boot the kernel whose modules lie in /lib/modules",
			"its kernel has no module %s, and none lies in /lib/modules/%s", strings.Join(absent, ", "), facts.Kernel)),
		when(len(locked) > 0, finding("load them at boot, before what locks it: printf '%s\\n' "+strings.Join(locked, " ")+" >> "+extraModulesFile+", then reboot",
			"it loads no module any more (kernel.modules_disabled = 1), and lacks %s", strings.Join(locked, ", ")))...)
}

// fixedParameters are kernel parameters that have to be other than they are, where nobody can set them. They
// are kubeadm's FileContent--proc-sys-net-ipv4-ip_forward, and the rest of its kind: Slipway sets what can be set.
func fixedParameters(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil || !facts.Conditions.Mounts[manifests.ProcSys].ReadOnly {
		return nil
	}
	wanted := manifests.Skeleton(v.Cluster, v.Bill, host).Sysctls
	var all []Finding
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		have, known := facts.Sysctls[key]
		if !known || manifests.SysctlSuffices(v.Cluster, key, have) {
			continue
		}
		file := manifests.ProcSys + "/" + strings.ReplaceAll(key, ".", "/")
		all = append(all, finding("set "+key+" where the host itself is made: as a container's, its parameters are its maker's",
			"%s is %s and has to be %s, and %s is mounted read-only", key, have, wanted[key], manifests.ProcSys).of("FileContent", file))
	}
	return all
}

// requiredPrograms are those without which the kubelet cannot work; others are needed for some volumes alone.
var requiredPrograms = []string{"mount", "umount"}

// missingPrograms are programs of the system that the kubelet runs: kubeadm's FileExisting-mount and
// FileExisting-losetup. It runs no others: what else kubeadm looks for it runs itself.
func missingPrograms(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil {
		return nil
	}
	var all []Finding
	for _, name := range facts.Conditions.MissingPrograms {
		found := finding("install the package util-linux (or mount)", "there is no program %s, by which the kubelet mounts volumes", name)
		if !slices.Contains(requiredPrograms, name) {
			found = warning("install the package util-linux (or mount)", "there is no program %s, which the kubelet needs for block volumes", name)
		}
		all = append(all, found.of("FileExisting", name))
	}
	return all
}

package checks

import (
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/view"
)

// executed are the places that programs are started from. containerd's folder is none: containers see it
// through an overlay, which has options of its own.
var executed = []string{bundle.ComponentsFolder, manifests.KubeletBinary, manifests.CNIBinFolder}

// badMounts are file systems whose options do not allow what Slipway, or what it sets up, does there.
func badMounts(v view.View, host cluster.Host, facts hosts.Facts) []Finding {
	if facts.Conditions == nil {
		return nil
	}
	places := map[string][]string{} // by mount point and what is wrong with it
	const readOnly, noExec, volumes = "read-only", "noexec", "volumes"
	for _, place := range slices.Sorted(maps.Keys(facts.Conditions.Mounts)) {
		mount := facts.Conditions.Mounts[place]
		switch {
		case place == manifests.ProcSys: // has a check of its own
		case mount.ReadOnly:
			places[mount.At+"\x00"+readOnly] = append(places[mount.At+"\x00"+readOnly], place)
		case mount.NoExec && slices.Contains(executed, place):
			places[mount.At+"\x00"+noExec] = append(places[mount.At+"\x00"+noExec], place)
		case (mount.NoExec || mount.NoSUID) && place == manifests.KubeletFolder:
			places[mount.At+"\x00"+volumes] = append(places[mount.At+"\x00"+volumes], place)
		}
	}
	var all []Finding
	for _, key := range slices.Sorted(maps.Keys(places)) {
		at, wrong, _ := strings.Cut(key, "\x00")
		below := strings.Join(places[key], ", ")
		remount := "mount -o remount,exec " + at + ", and take noexec out of its line in /etc/fstab"
		switch wrong {
		case readOnly:
			all = append(all, finding("mount -o remount,rw "+at+", and see in its line in /etc/fstab and in dmesg why it is read-only",
				"the file system at %s is read-only, and Slipway writes to %s", at, below))
		case noExec:
			all = append(all, finding(remount, "the file system at %s is mounted noexec, and programs are started from %s", at, below))
		default:
			all = append(all, warning("if Pods start programs from volumes: "+remount+" (and nosuid)",
				"the file system at %s is mounted noexec or nosuid: what Pods have in emptyDir volumes (%s) cannot be started, or not as another user", at, below))
		}
	}
	return all
}

package cluster

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// staticPods checks the volumes of the static Pods, and that each file which a flag names
// is in one: else the component does not find it, and says so only in its log.
func (k *checker) staticPods(c *Cluster) {
	for _, pod := range c.StaticPods() {
		if pod.Field == "etcd" && !c.StackedEtcd() {
			if len(pod.Volumes) > 0 {
				k.wrong("extraVolumes.etcd", leaveOut, "with etcd.external there is no etcd of Slipway's that could have volumes").concludedFrom("external")
			}
			continue
		}
		k.volumes(pod)
		for _, file := range pod.Files() {
			if !reserved(pod.Field, file.Flag) { // those are refused anyway
				k.flagFile(pod, file)
			}
		}
	}
}

// reserved tells whether a flag is Slipway's alone.
func reserved(component, flag string) bool {
	tables := map[string][]map[string]string{
		"apiServer":         {reservedCommon, reservedAPIServer},
		"controllerManager": {reservedCommon, reservedControllerManager},
		"scheduler":         {reservedCommon},
		"etcd":              {reservedEtcd},
	}
	return slices.ContainsFunc(tables[component], func(table map[string]string) bool {
		_, found := table[flag]
		return found
	})
}

func (k *checker) volumes(pod StaticPod) {
	list := "extraVolumes." + pod.Field
	names, places := map[string]int{}, map[string]int{}
	for i, volume := range pod.Volumes {
		at := index(list, i)
		switch {
		case volume.Name == "":
			k.wrong(child(at, "name"), "give it a name, such as audit-policy", "is missing")
		case len(validation.IsDNS1123Label(volume.Name)) > 0:
			k.wrong(child(at, "name"), labelFix(volume.Name), "%q is not a volume's name", volume.Name)
		case slices.ContainsFunc(pod.Own, func(own HostPathMount) bool { return own.Name == volume.Name }):
			k.wrong(child(at, "name"), "write another name", "Slipway has a volume %s of its own in this Pod", volume.Name)
		default:
			k.once(names, volume.Name, i, child(at, "name"), list)
		}
		k.volumePath(volume.HostPath, child(at, "hostPath"))
		if k.volumePath(volume.MountPath, child(at, "mountPath")) {
			place := path.Clean(volume.MountPath) // it may end with a slash
			k.once(places, place, i, child(at, "mountPath"), list)
			if own := slices.IndexFunc(pod.Own, func(own HostPathMount) bool { return own.MountPath == place }); own >= 0 {
				k.wrong(child(at, "mountPath"), "leave it out: it is in the Pod already", "Slipway mounts %s there itself", pod.Own[own].HostPath)
			}
		}
		if volume.PathType != "" && !slices.Contains(PathTypes, volume.PathType) {
			k.wrong(child(at, "pathType"), "write one of "+strings.Join(PathTypes, ", "), "%q is not known", volume.PathType)
		}
	}
}

// volumePath tells whether a path can be mounted.
func (k *checker) volumePath(name, at string) bool {
	switch {
	case name == "":
		k.wrong(at, "write an absolute path", "is missing")
	case !path.IsAbs(name):
		k.wrong(at, "write an absolute path", "%q is not an absolute path", name)
	case name == "/" || strings.Contains(name, ":"):
		k.wrong(at, "write a file or a folder below /, without a colon", "%q cannot be mounted", name)
	case path.Clean(name) != strings.TrimSuffix(name, "/"):
		k.wrong(at, "write "+path.Clean(name), "%q is not the shortest form of the path", name)
	default:
		return true
	}
	return false
}

func (k *checker) flagFile(pod StaticPod, file FlagFile) {
	at := child(index("extraArgs."+pod.Field, file.Arg), "value")
	switch {
	case !path.IsAbs(file.Path):
		k.wrong(at, "write an absolute path, and mount it by extraVolumes."+pod.Field, "%q of %s is not an absolute path", file.Path, file.Flag)
	case file.Host == "" && file.Flag == "cert-dir": // where the component may keep a certificate that it makes itself
	case file.Host == "" && file.Written:
		k.wrong(at, "add "+volumeFor(pod, file), "%s is in the Pod alone: nothing of the host is mounted there, and what the component writes is lost with its container", file.Path)
	case file.Host == "":
		k.wrong(at, "add "+volumeFor(pod, file), "%s is on the host and not in the Pod: nothing mounts it, and the component would not find it", file.Path)
	case file.Written && file.Mount.ReadOnly:
		k.wrong(at, fmt.Sprintf("mount a folder of its own, without readOnly: %s", volumeFor(pod, file)), "%s is mounted read-only by %s, and %s is written to", file.Path, file.Mount.Name, file.Flag)
	}
}

// volumeFor is what to type so that the Pod has a file.
func volumeFor(pod StaticPod, file FlagFile) string {
	place, kind, readOnly := file.Path, "File", ", readOnly: true"
	switch {
	case file.Folder:
		kind, readOnly = "DirectoryOrCreate", ""
	case file.Written: // the log's folder: it is rotated there
		place, kind, readOnly = path.Dir(file.Path), "DirectoryOrCreate", ""
	}
	return fmt.Sprintf("extraVolumes: {%s: [{name: %s, hostPath: %s, mountPath: %s%s, pathType: %s}]}",
		pod.Field, file.Flag, place, place, readOnly, kind)
}

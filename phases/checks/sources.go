package checks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// sources tells whether a source of evidence is one of those meant.
type sources func(source string) bool

// The units that evidence comes from, and the namespaces of the cluster's own Pods.
const (
	kubelet    = manifests.KubeletUnit
	containerd = manifests.ContainerdUnit
	haproxy    = manifests.HAProxyUnit
	keepalived = manifests.KeepalivedUnit

	staticNamespace = "kube-system"
	addOnNamespace  = "kube-flannel"
)

// staticPods are the components that run as static Pods.
var staticPods = []string{hosts.ComponentEtcd, hosts.ComponentAPIServer, hosts.ComponentController, hosts.ComponentScheduler}

// is takes the sources of these names.
func is(names ...string) sources {
	return func(source string) bool { return slices.Contains(names, source) }
}

// anyOf takes what one of them takes.
func anyOf(all ...sources) sources {
	return func(source string) bool {
		return slices.ContainsFunc(all, func(s sources) bool { return s(source) })
	}
}

// ofContainer takes a source that is a container apart.
func ofContainer(source string) (namespace, pod, name string, ok bool) {
	path, ok := strings.CutPrefix(source, "container ")
	parts := strings.Split(path, "/")
	if !ok || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

// static takes the containers of these static Pods.
func static(names ...string) sources {
	return func(source string) bool {
		namespace, pod, name, ok := ofContainer(source)
		return ok && namespace == staticNamespace && slices.Contains(names, name) && strings.HasPrefix(pod, name+"-")
	}
}

// container takes the cluster's own containers of a name.
func container(wanted string) sources {
	return func(source string) bool {
		_, _, name, _ := ofContainer(source)
		return name == wanted && ownContainers(source)
	}
}

// ownContainers takes the containers of static Pods and add-ons.
func ownContainers(source string) bool {
	namespace, _, _, ok := ofContainer(source)
	return ok && (namespace == staticNamespace || namespace == addOnNamespace)
}

// podsOf takes the containers of a workload's Pods.
func podsOf(object hosts.ObjectKey) sources {
	return func(source string) bool {
		namespace, pod, _, ok := ofContainer(source)
		return ok && namespace == object.Namespace && strings.HasPrefix(pod, object.Name+"-")
	}
}

// ownSources takes the units and the containers that the cluster itself is made of.
func ownSources(source string) bool {
	return is(kubelet, containerd, haproxy, keepalived)(source) || ownContainers(source)
}

// Concerns gives the sources of evidence that may show why a step failed, or lasts: the host as a
// whole and what the step is about, with what that stands on.
func Concerns(step plan.Step) func(source string) bool {
	pods := is(kubelet, containerd)
	about := anyOf(pods, ownContainers, is(haproxy, keepalived))
	switch action := step.Cluster.(type) {
	case plan.WaitAPI, plan.MemberPromote:
		about = anyOf(pods, static(hosts.ComponentEtcd, hosts.ComponentAPIServer))
	case plan.WaitNode:
		about = anyOf(pods, ownContainers)
	case plan.WaitAvailable:
		about = anyOf(pods, static(staticPods...), podsOf(action.Object))
	}
	switch action := step.Action.(type) {
	case hosts.SetUnit:
		about = unitAndBelow(action.Name)
	case hosts.StopUnits:
		about = unitAndBelow(action.Names...)
	}
	return func(source string) bool {
		_, _, _, isContainer := ofContainer(source)
		return about(source) || !isContainer && !strings.HasSuffix(source, ".service")
	}
}

// unitAndBelow takes units and, for the kubelet, the runtime that it stands on.
func unitAndBelow(names ...string) sources {
	if slices.Contains(names, kubelet) {
		names = append(slices.Clone(names), containerd)
	}
	return is(names...)
}

// provoked are lines that whoever connects to a component can bring about, or whoever
// registers a webhook or an API with it: they tell of others.
var provoked = regexp.MustCompile(`TLS handshake error|rejected (stream )?connection|Unable to authenticate the request|[Ww]ebhook|APIService`)

// podNamed finds the namespace of the Pod that a line of the kubelet's or containerd's is
// about. Both quote what they were given, so that nobody else's text can look so.
var podNamed = regexp.MustCompile(`[ \[{(](?:pods?=\[?"([^"/\\]+)/|in pod [^_\s"\\]+_([^("\\]+)\()|\bNamespace:([^,}"\\]+),`)

// pulled are lines about any Pod's images, in which a registry's words stand.
var pulled = regexp.MustCompile(`\bimage="|PullImage|[Ff]ailed to pull|Pulling image`)

// started are lines about what containerd was asked to do for any Pod: they name a container by
// an id alone, and carry what its image and its owner say. Of the cluster's own Pods the kubelet
// has further lines, which name them.
var started = regexp.MustCompile(`StartContainer|CreateContainer|ExecSync|\bExec for`)

// mounted are lines about any Pod's volumes, in which a storage server's or a CSI driver's words
// stand. The cluster's own Pods have only paths of the host, as the user's extraVolumes: of these
// a line counts where it names its Pod by the namespace too.
var mounted = regexp.MustCompile(`Mount(Volume|Device)|mount(Volume|Device)|MapVolume|AttachVolume|AttachDisk|kubernetes\.io/csi|volumeName:`)

// others tells whether a line may be of somebody else's making: of a tenant's Pod, of its
// image's registry, or of whoever connects. The kubelet and containerd serve all Pods; a
// line that goes on with another's text is indented.
func others(source, line string) bool {
	if provoked.MatchString(line) {
		return true
	}
	if source != kubelet && source != containerd {
		return false
	}
	if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
		return true
	}
	byPod, named := false, false
	for _, groups := range podNamed.FindAllStringSubmatch(line, -1) {
		namespace := groups[1] + groups[2] + groups[3]
		if namespace != staticNamespace && namespace != addOnNamespace {
			return true
		}
		byPod = byPod || source == kubelet && groups[1] != ""
		named = true
	}
	if strings.Contains(line, "RunPodSandbox") && (source == kubelet || !named) && !byPod {
		return true
	}
	return !byPod && (pulled.MatchString(line) || started.MatchString(line) || mounted.MatchString(line))
}

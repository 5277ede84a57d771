package phases

import (
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/manifests"
)

// What goes on in a world by itself: kubelets run Pods, API servers answer, nodes register.

func (w *world) has(host, path string) bool { return w.machines[host].Has(path) }

func (w *world) unitActive(host, name string) bool {
	return !w.down[host] && w.machines[host].Unit(name).Active == "active"
}

func (w *world) imageLoaded(host, name string) bool {
	image, _ := w.bill.Image(name)
	digest, pinned := w.machines[host].Image(image.Reference(w.cluster.ImageRepository))
	return pinned && digest == image.Manifest.Digest
}

// staticPods are the manifests that a kubelet makes Pods of.
var staticPods = []string{
	manifests.EtcdManifest, manifests.APIServerManifest, manifests.ControllerManifest, manifests.SchedulerManifest,
}

// runs tells whether a static Pod runs on a host, by the manifest that it was made of.
func (w *world) runs(host, manifest string) bool { return !w.down[host] && w.running[host][manifest] }

// serves tells whether an API server answers on a host.
func (w *world) serves(host string) bool {
	if !w.runs(host, manifests.APIServerManifest) {
		return false
	}
	if !w.cluster.StackedEtcd() {
		return true
	}
	member, there := w.memberOn(host)
	return there && !member.learner && w.quorate()
}

// apiUp tells whether any API server answers, also one that the file does not have any more.
func (w *world) apiUp() bool {
	for name := range w.machines {
		if w.serves(name) {
			return true
		}
	}
	return false
}

// controlled tells whether somebody turns objects into Pods and puts them on nodes.
func (w *world) controlled() bool {
	for name := range w.machines {
		if w.runs(name, manifests.ControllerManifest) && w.runs(name, manifests.SchedulerManifest) {
			return true
		}
	}
	return false
}

// follow has what runs on a host do what an action means for it.
func (w *world) follow(host string, action hosts.Action, outcome hosts.Outcome) {
	switch a := action.(type) {
	case hosts.Forget:
		delete(w.begun, host)
	case hosts.StopPods:
		for manifest := range w.running[host] {
			pod := strings.TrimSuffix(path.Base(manifest), ".yaml") + "-" + host
			if len(a.Only) == 0 || slices.Contains(a.Only, pod) {
				delete(w.running[host], manifest)
			}
		}
	case hosts.Reboot:
		w.power(host, false) // until it is waited for
	case hosts.SetUnit:
		if outcome.Result == hosts.Changed {
			w.loadBalancer(host, a.Name)
		}
		if a.Name == manifests.KubeletUnit && outcome.Result == hosts.Changed && a.Active {
			w.startKubelet(host)
		}
	case hosts.StopUnits:
		for _, name := range a.Names {
			w.loadBalancer(host, name)
		}
	}
}

// settle lets everything on the machines come to rest.
func (w *world) settle() {
	if !w.stale {
		return
	}
	w.stale = false
	for _, host := range w.cluster.Hosts {
		w.runPods(host.Name)
	}
	w.startEtcds()
	for _, host := range w.cluster.Hosts {
		w.register(host)
	}
}

// runPods is a kubelet's work with the manifests on its host.
func (w *world) runPods(name string) {
	if !w.unitActive(name, manifests.KubeletUnit) || !w.unitActive(name, manifests.ContainerdUnit) {
		return
	}
	machine := w.machines[name]
	if !machine.Has("/var/log/pods/x/0.log") {
		machine.PutFile("/var/log/pods/x/0.log", nil, 0o640)
		machine.PutFile("/var/lib/kubelet/cpu_manager_state", nil, 0o600)
	}
	for _, manifest := range staticPods {
		if machine.Has(manifest) {
			w.running[name][manifest] = true
		} else {
			delete(w.running[name], manifest)
		}
	}
}

// register has a host's kubelet tell the API of itself, if it reaches it; of one that is
// not heard the API says that it is not Ready.
func (w *world) register(host cluster.Host) {
	name := host.Name
	node, there := w.nodes[name]
	heard := w.unitActive(name, manifests.KubeletUnit) && w.reachesAsKubelet(host)
	if !heard {
		if there && node.Ready && w.apiUp() && w.controlled() {
			node.Ready = false
			w.nodes[name] = node
		}
		return
	}
	if !there {
		node = hosts.Node{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name},
			MachineID: w.look(name, hosts.Query{}).MachineID}
		for _, taint := range host.NodeTaints() {
			node.Taints = append(node.Taints, taint.String())
		}
		machine := w.machines[name]
		machine.Leftovers([]string{"kube-flannel-" + name}, []string{"/var/lib/kubelet/pods/x/volumes/y"},
			[]string{"flannel.1", "cni0"}, []string{"kube-proxy"}, []string{"KUBE-FIREWALL"})
	}
	node.Ready, node.KubeletVersion = w.networked(), w.kubelets[name]
	w.nodes[name] = node
}

// reachesAsKubelet tells whether a host's kubelet reaches its API: its own host's, or the endpoint.
func (w *world) reachesAsKubelet(host cluster.Host) bool {
	if host.HasRole(cluster.RoleControlPlane) {
		return w.serves(host.Name)
	}
	return w.reaches(host.Name)
}

func (w *world) networked() bool {
	if w.cluster.Networking.AddOn != cluster.AddOnFlannel || !w.controlled() {
		return false
	}
	for key := range w.objects {
		if key.Kind == "DaemonSet" && strings.Contains(key.Name, "flannel") {
			return true
		}
	}
	return false
}

// power switches a host off as a power cut does, or on again.
func (w *world) power(name string, on bool) {
	w.stale = true
	w.running[name] = map[string]bool{}
	w.down[name] = !on
	delete(w.balancer, name)
	if on {
		w.machines[name].Reboot()
		w.open[name] = w.machines[name].Host()
		w.loadBalancer(name, manifests.HAProxyUnit)
		w.loadBalancer(name, manifests.KeepalivedUnit)
	}
	w.settle()
}

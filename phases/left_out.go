package phases

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// A host that is down can be left out of an upgrade, or of a way back, by its name. It is not contacted and
// stays as it is; the same upgrade brings it to the version when it is back.

// missing is how many nodes are left out.
func (in Input) missing() int {
	return len(keep(in.LeftOut(), func(host cluster.Host) bool {
		_, there := in.Node(host.Name)
		return there
	}))
}

// spareMissing lets DaemonSets roll out although Pods of theirs are missing on the nodes that are left
// out: else those would be all that may be missing at a time, and nothing would be replaced elsewhere.
func (d *draft) spareMissing() {
	missing := d.in.missing()
	for i, object := range d.objects.Objects {
		if missing == 0 || object.Key.Kind != "DaemonSet" {
			continue
		}
		content, err := decodeObject(object.Content)
		if err == nil {
			if spec, is := content["spec"].(map[string]any); is {
				spec["updateStrategy"] = map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": 1 + missing}}
			}
			d.objects.Objects[i].Content, err = json.Marshal(content)
		}
		if err != nil {
			d.fail(fmt.Errorf("render %s: %w", object.Key, err))
		}
	}
}

// leaveOut keeps Pods away from nodes that are left out of an upgrade: what DaemonSets such as kube-proxy
// run from now on may not be on them, and one that comes back has no Services until it has the version. Which
// bundle a host has that is down is not known; of one version there may be several.
func (d *draft) leaveOut() {
	for _, host := range d.in.LeftOut() {
		node, there := d.in.Node(host.Name)
		if there && !node.Unschedulable {
			d.forNode(host).add(plan.Step{
				ID: clusterID(plan.PhaseUpgrade, host.Name, "cordon"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/" + host.Name,
				Why: "it is left out: when it comes back, it gets no Pods before it has the version", Change: plan.Update,
				Cluster: plan.Cordon{Node: host.Name, By: cordonedFor},
			})
		}
	}
	if old := d.in.oldServers(); len(old) > 0 {
		d.plan.Warnings = append(d.plan.Warnings, fmt.Sprintf("%s is left out with an API server of an older minor version, and no kubelet and no kube-proxy may be newer than that: "+
			"the workers and what runs in the cluster are left for later", strings.Join(old, ", ")))
	}
}

// takeBackLeftOut lets nodes take Pods again that an upgrade had left out: they have what the cluster goes
// back to.
func (d *draft) takeBackLeftOut() {
	for _, host := range d.in.LeftOut() {
		if node, there := d.in.Node(host.Name); there && node.CordonedBy == cordonedFor {
			d.forNode(host).add(plan.Step{
				ID: clusterID(plan.PhaseUpgrade, host.Name, "uncordon"), Phase: plan.PhaseUpgrade, Lane: string(plan.PhaseUpgrade) + "/" + host.Name,
				After: after(d.inCluster(does[plan.Apply])), Why: "an upgrade had left it out, and cordoned it", Change: plan.Update,
				Cluster: plan.Uncordon{Node: host.Name, By: cordonedFor},
			})
		}
	}
}

// oldServers are the control planes that are left out with an API server of an older minor version.
func (in Input) oldServers() []string {
	var old []string
	for _, host := range in.LeftOut() {
		if node, there := in.Node(host.Name); there && host.HasRole(cluster.RoleControlPlane) && olderMinor(node, in.Bill.KubernetesVersion) {
			old = append(old, host.Name)
		}
	}
	return old
}

func olderMinor(node hosts.Node, version string) bool {
	has, err := cluster.ParseVersion(node.KubeletVersion)
	wanted, wrong := cluster.ParseVersion(version)
	return err == nil && wrong == nil && has.Compare(wanted) < 0 && has.MinorString() != wanted.MinorString()
}

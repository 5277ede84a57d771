package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/hosts"
)

// Describe says in a few words what a step does, whether it is done or shown.
func Describe(step Step) string {
	if step.Cluster != nil {
		return describeCluster(step.Cluster)
	}
	if step.Action != nil {
		return describeHost(step.Action)
	}
	return "do nothing"
}

func describeHost(action hosts.Action) string {
	switch a := action.(type) {
	case hosts.WriteFile:
		return fmt.Sprintf("write %s (%s)", a.Path, attributes(a.Mode, a.UID, a.GID))
	case hosts.MakeDirectory:
		return fmt.Sprintf("make directory %s (%s)", a.Path, attributes(a.Mode, a.UID, a.GID))
	case hosts.MakeSymlink:
		return fmt.Sprintf("link %s to %s", a.Path, a.Target)
	case hosts.RemovePath:
		return describeRemoval(a)
	case hosts.Unpack:
		return fmt.Sprintf("unpack %s (%s)", a.Set, unpacked(a))
	case hosts.SetUnit:
		return describeUnit(a)
	case hosts.StopUnits:
		return describeUnits(a)
	case hosts.LoadImage:
		return fmt.Sprintf("load image %s (%s)", a.Reference, Size(imageSize(a)))
	case hosts.SetSysctl:
		return fmt.Sprintf("set %s = %s", a.Key, a.Value)
	case hosts.LoadModule:
		return "load module " + a.Name
	case hosts.DisableSwap:
		return "turn swap off"
	case hosts.SetHostname:
		return "set hostname " + a.Name
	case hosts.AddHostsEntry:
		return fmt.Sprintf("add to /etc/hosts: %s %s", a.Address, strings.Join(a.Names, " "))
	}
	return describeCare(action)
}

// describeCare is describeHost for what is about the host as Slipway's.
func describeCare(action hosts.Action) string {
	switch a := action.(type) {
	case hosts.TakeLease:
		return "take the lease for " + a.Holder
	case hosts.ReleaseLease:
		return "give back the lease"
	case hosts.Claim:
		return "claim for cluster " + a.Cluster.Name
	case hosts.StopPods:
		return describeStop(a)
	case hosts.Unmount:
		return "unmount all below " + a.Below
	case hosts.RemoveNetwork:
		return describeNetwork(a)
	case hosts.Restore:
		return "restore " + a.Setting
	case hosts.TidyStore:
		return "tidy the store"
	case hosts.Forget:
		return "forget: remove store, agent and record"
	}
	return action.Kind()
}

func describeCluster(action ClusterAction) string {
	switch a := action.(type) {
	case Apply:
		return "apply " + a.Object.String()
	case Delete:
		return "delete " + a.Object.String()
	case MarkNode:
		return describeMark(a)
	case Cordon:
		return "cordon " + a.Node
	case Uncordon:
		return "uncordon " + a.Node
	case Drain:
		return "drain " + a.Node
	case WaitAPI:
		if a.Serving {
			return "wait for the API server on " + a.Host + " to take requests"
		}
		return "wait for the API server on " + a.Host + " to be ready"
	case WaitNode:
		if a.Ready {
			return "wait for node " + a.Node + " to be Ready"
		}
		return "wait for node " + a.Node + " to register"
	case WaitPods:
		return "wait for the new " + podNames(a.Pods) + " on " + a.Host
	case WaitAvailable:
		return "wait for " + a.Object.String() + " to be available"
	case WaitEndpoint:
		return "wait until " + a.Host + " reaches the API by " + a.Address
	case WaitTurn:
		return "let the controllers on " + a.Host + " start in turn"
	case DeletePods:
		return "delete the Pods of node " + a.Node
	}
	return describeMember(action)
}

func podNames(pods []StaticPod) string {
	var names []string
	for _, pod := range pods {
		names = append(names, pod.Name)
	}
	return strings.Join(names, ", ")
}

// describeMember is describeCluster for etcd's members.
func describeMember(action ClusterAction) string {
	switch a := action.(type) {
	case MemberAdd:
		return "add etcd member " + a.Name + " (" + a.Peer + ") as a learner"
	case MemberPromote:
		return "promote etcd member " + a.Name + " when it is in sync"
	case MemberRemove:
		return "remove etcd member " + strings.TrimSpace(a.Name+" ("+a.ID+")")
	case MoveLeader:
		return "move etcd's leadership away from " + a.From
	case QuorumHolds:
		if a.Stays {
			return "see that etcd has a quorum while " + a.Without + " starts anew"
		}
		return "see that etcd has a quorum without " + a.Without
	}
	return action.Kind()
}

func attributes(mode uint32, uid, gid int) string {
	if uid == 0 && gid == 0 {
		return fmt.Sprintf("%04o", mode)
	}
	return fmt.Sprintf("%04o %d:%d", mode, uid, gid)
}

func describeRemoval(a hosts.RemovePath) string {
	switch {
	case a.Recursive:
		return "remove " + a.Path + " and all below it"
	case a.IfEmpty:
		return "remove " + a.Path + " if empty"
	}
	return "remove " + a.Path
}

func unpacked(a hosts.Unpack) string {
	var size int64
	for _, file := range a.Files {
		size += file.Size
	}
	return fmt.Sprintf("%s, %s", Count(len(a.Files), "file"), Size(size))
}

func describeUnit(a hosts.SetUnit) string {
	state := map[bool]string{true: "enabled", false: "disabled"}[a.Enabled]
	active := map[bool]string{true: "running", false: "stopped"}[a.Active]
	return fmt.Sprintf("set unit %s: %s, %s", a.Name, state, active)
}

func describeUnits(a hosts.StopUnits) string {
	names := strings.Join(a.Names, ", then ")
	if a.Enabled {
		return "stop " + names + " until the next boot"
	}
	return "stop and disable " + names
}

func imageSize(a hosts.LoadImage) int64 {
	size := a.Manifest.Size
	for _, blob := range a.Blobs {
		size += blob.Size
	}
	return size
}

func describeStop(a hosts.StopPods) string {
	if len(a.Only) == 0 {
		return "stop and remove all Pods"
	}
	return "stop and remove " + strings.Join(a.Only, ", ")
}

// namesShown bounds how many chains, and names of Pods' things, a line tells; the plan's
// JSON has them all.
const namesShown = 12

func describeNetwork(a hosts.RemoveNetwork) string {
	text := "remove network " + strings.Join(slices.Concat(a.Links, a.Tables, someOf(a.Chains)), ", ")
	if a.HostPorts {
		text += ", host ports' chains that no other runtime uses"
	}
	var pods []string
	for _, pod := range a.Pods {
		if pod.Namespace != "" {
			pods = append(pods, pod.Namespace)
		}
		pods = append(pods, pod.Chains...)
	}
	if len(pods) > 0 {
		text += "; its Pods' " + strings.Join(someOf(pods), ", ")
	}
	return text
}

func someOf(names []string) []string {
	more := len(names) - namesShown
	if more <= 0 {
		return names
	}
	return append(names[:namesShown:namesShown], fmt.Sprintf("and %d more", more))
}

func describeMark(a MarkNode) string {
	var marks []string
	for _, key := range slices.Sorted(maps.Keys(a.Labels)) {
		marks = append(marks, key+"="+a.Labels[key])
	}
	marks = append(marks, a.Taints...)
	for _, name := range slices.Concat(a.RemoveTaints, a.RemoveLabels) {
		marks = append(marks, name+"-")
	}
	if len(marks) == 0 {
		return "mark node " + a.Node
	}
	return "mark node " + a.Node + ": " + strings.Join(marks, ", ")
}

// Size writes a number of bytes for people.
func Size(bytes int64) string {
	const unit = 1000
	if bytes < unit {
		return fmt.Sprintf("%d B", bytes)
	}
	value, prefix := float64(bytes)/unit, 0
	for value >= unit {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[prefix])
}

// Count writes a number with its noun.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

package hosts

import (
	"encoding/json"
	"fmt"
	"time"
)

// ClusterFacts is what is seen of the cluster that the hosts form.
type ClusterFacts struct {
	// Reachable tells whether an API server answered; if not, Cause says why none did.
	Reachable bool   `json:"reachable"`
	Cause     string `json:"cause,omitempty"`
	Version   string `json:"version,omitempty"` // the API server's
	// ClockOffset is how far the API server's clock is ahead of the operator's, to half a
	// second; nil where it is not known.
	ClockOffset *time.Duration `json:"-"`
	// Objects are the live objects that were asked for; absent ones are not there.
	Objects map[ObjectKey]json.RawMessage `json:"-"`
	// Inventory is what Slipway has applied of the kinds that were asked for, in their order.
	Inventory []Applied `json:"-"`
	Nodes     []Node    `json:"nodes,omitempty"`
	// Members are etcd's; where none could be asked there are none, and MembersCause says why.
	Members      []Member `json:"members,omitempty"`
	MembersCause string   `json:"membersCause,omitempty"`
	// Health is what each control-plane component says of itself, by host.
	Health []Health `json:"health,omitempty"`
	// DeprecatedAPIs are those that still are needed; nil where that was not asked.
	DeprecatedAPIs *DeprecatedAPIs `json:"-"`
}

// ClusterQuery says which objects to fetch.
type ClusterQuery struct {
	Objects []ObjectKey
	// Inventory are kinds, each in one namespace: keys without names. Of these, all objects are
	// looked for that Slipway has applied.
	Inventory []ObjectKey
}

// LabelInventory is on every object that Slipway applies and keeps as it should be. Its value
// names the phase.
const LabelInventory = "slipway.dev/inventory"

// Applied is an object that Slipway has applied: it has the label, and the API server says that
// Slipway set it. A label that somebody copied does not count.
type Applied struct {
	Object ObjectKey
	UID    string
	Phase  string   // the label's value
	Others []string // the field managers that apply the object as well
}

// ObjectKey names one API object.
type ObjectKey struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

func (k ObjectKey) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

// Node is a node as the API shows it.
type Node struct {
	Name           string            `json:"name"`
	Ready          bool              `json:"ready"`
	Unschedulable  bool              `json:"unschedulable,omitempty"`
	KubeletVersion string            `json:"kubeletVersion"`
	Addresses      []string          `json:"addresses"`
	Labels         map[string]string `json:"labels,omitempty"`
	Taints         []string          `json:"taints,omitempty"` // key=value:effect, or key:effect
	Reason         string            `json:"reason,omitempty"` // why it is not ready, as the kubelet says it
	// Pressures are the conditions that keep Pods off, other than that it is not Ready: DiskPressure …
	Pressures  []string `json:"pressures,omitempty"`
	MachineID  string   `json:"machineID,omitempty"` // as the kubelet reports it, of /etc/machine-id
	SystemUUID string   `json:"systemUUID,omitempty"`
	// Marks are what Slipway noted on the node that it has set; nil where there is no note.
	Marks *Marks `json:"marks,omitempty"`
	// CordonedBy is the workflow of Slipway's that has cordoned the node for a time; empty where
	// nobody has, or a person.
	CordonedBy string `json:"cordonedBy,omitempty"`
}

// AnnotationCordonedBy is where a node carries CordonedBy. It is written in the same patch that
// cordons, so that a run that is killed leaves none without the other.
const AnnotationCordonedBy = "slipway.dev/cordoned-by"

// AnnotationMarks is where a node carries its Marks, as JSON.
const AnnotationMarks = "slipway.dev/marks"

// Marks are labels and taints that the cluster file gave a node. Others give it further ones.
type Marks struct {
	Labels map[string]string `json:"labels,omitempty"`
	Taints []string          `json:"taints,omitempty"`
	// Seal proves that Slipway made the note: a node's kubelet, and whoever took the host over,
	// can write annotations.
	Seal string `json:"seal,omitempty"`
}

// Member is an etcd member.
type Member struct {
	ID      string   `json:"id"`   // in hexadecimal, as etcdctl writes it
	Name    string   `json:"name"` // empty until it has started once
	Peers   []string `json:"peers"`
	Clients []string `json:"clients,omitempty"`
	Learner bool     `json:"learner,omitempty"`
	Leader  bool     `json:"leader,omitempty"`
	// Healthy tells whether it answers and knows a leader; if not, Detail says why.
	Healthy bool   `json:"healthy"`
	Detail  string `json:"detail,omitempty"`
	// Version is the member's own, 3.7.3, and Storage the minor version whose form its data have, 3.7:
	// an older one does not start with them. Downgrade is the minor version that etcd is ready to go
	// back to; empty: it is not. All are empty where the member does not answer.
	Version   string `json:"version,omitempty"`
	Storage   string `json:"storage,omitempty"`
	Downgrade string `json:"downgrade,omitempty"`
	Size      int64  `json:"size,omitempty"` // of its database, in bytes
}

// Quorum is how many of so many voting members have to agree.
func Quorum(voters int) int { return voters/2 + 1 }

// The components of a control plane, as Health names them: those that are static Pods have the
// names of these.
const (
	ComponentAPIServer  = "kube-apiserver"
	ComponentController = "kube-controller-manager"
	ComponentScheduler  = "kube-scheduler"
	ComponentEtcd       = "etcd"
	ComponentKubelet    = "kubelet"
)

// Health is one component's health on one host.
type Health struct {
	Host      string `json:"host"`
	Component string `json:"component"`
	Healthy   bool   `json:"healthy"`
	Detail    string `json:"detail,omitempty"`
}

// RolledOut tells by a Deployment's, DaemonSet's or StatefulSet's own status whether all of it
// runs as its latest generation says, and how far it is. Of a DaemonSet's Pods so many may be missing.
func RolledOut(key ObjectKey, object []byte, missing int) (done bool, seen string, err error) {
	var live struct {
		Metadata struct{ Generation int64 }
		Spec     struct {
			Replicas *int64
			Paused   bool
		}
		Status struct {
			ObservedGeneration, Replicas, UpdatedReplicas, AvailableReplicas int64
			DesiredNumberScheduled, UpdatedNumberScheduled, NumberAvailable  int64
		}
	}
	if err := json.Unmarshal(object, &live); err != nil {
		return false, "", fmt.Errorf("read %s: %w", key, err)
	}
	status := live.Status
	what, wanted, updated, available := "replicas", int64(1), status.UpdatedReplicas, status.AvailableReplicas
	switch key.Kind {
	case "DaemonSet":
		what, wanted, updated, available = "nodes' Pods", status.DesiredNumberScheduled, status.UpdatedNumberScheduled, status.NumberAvailable
	case "Deployment", "StatefulSet":
		if live.Spec.Replicas != nil {
			wanted = *live.Spec.Replicas
		}
	default:
		return false, "", fmt.Errorf("a %s does not roll out", key.Kind)
	}
	if status.ObservedGeneration < live.Metadata.Generation {
		return false, "its controller has not taken it up", nil
	}
	if key.Kind == "DaemonSet" {
		wanted = max(0, wanted-int64(missing))
		updated, available = min(updated, wanted), min(available, wanted)
	}
	surplus := key.Kind == "Deployment" && status.Replicas != wanted
	seen = fmt.Sprintf("of %d %s %d are up to date, %d available", wanted, what, updated, available)
	if live.Spec.Paused {
		seen = "it is paused; " + seen
	}
	return updated == wanted && available == wanted && !surplus, seen, nil
}

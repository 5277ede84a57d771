package forecast

import (
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// simulation plays the drains: where Pods are at each moment, and what budgets allow.
type simulation struct {
	state    State
	options  Options
	selector labels.Selector // of the Pods that go
	nodes    []*node
	byName   map[string]*node
	pods     []*pod
	classes  map[string]*class
	kinds    []*class                              // the same in the Pods' order
	volumes  map[string]*nodeaffinity.NodeSelector // of a claim, by namespace/name: the nodes that reach its volume
	owned    map[string][]*pod                     // by the controller's UID
	pending  []*pod                                // evicted, and without room elsewhere
}

// node is a node and the Pods on it.
type node struct {
	*corev1.Node
	ready  bool
	closed bool // cordoned, before or by what is played
	rank   int  // 0: not drained again; 1: none of the hosts; 2: drained later
	free   amounts
	pods   map[*pod]bool
}

// amounts are of what Pods ask for; what hosts rarely have is in others.
type amounts struct {
	cpu, memory, disk, pods int64
	others                  map[corev1.ResourceName]int64
}

// pod is a Pod, and where it is at the moment.
type pod struct {
	*corev1.Pod
	key, owner string
	labels     labels.Set
	controller *metav1.OwnerReference
	daemonSet  string // namespace/name, where one makes it
	ready      bool
	asks       amounts
	ports      []hostPort
	class      *class
	at         *node
	from       string // the host that it was evicted from last
	budgets    []*budget
	taken      bool // its budget counts one fewer for it
}

// hostPort is a port of its host that a Pod takes.
type hostPort struct {
	protocol corev1.Protocol
	port     int32
}

// class is Pods that the same nodes suit: those of one controller, with the same claims.
type class struct {
	pods      []*pod
	namespace string
	labels    labels.Set
	apart     []apart
	allowed   map[*node]string // why a node does not suit; empty: it does
	far       []farther        // whom they may not be near, by their own wish or the others'
	related   bool             // far has been found
}

// apart is a term of required Pod anti-affinity.
type apart struct {
	topology string
	anywhere bool // in any namespace
	in       map[string]bool
	selector labels.Selector
}

// farther is a class that may not be in one topology domain with another.
type farther struct {
	topology string
	from     *class
}

// budget is a PodDisruptionBudget, with how many of its Pods are healthy at the moment that is played.
type budget struct {
	*policyv1.PodDisruptionBudget
	name     string // namespace/name
	selector labels.Selector
	healthy  int32
	desired  int32
	// missing are its Pods that were evicted and have no room elsewhere.
	missing []*pod
}

package cluster

import "time"

// Timeouts say how long things may take. The first four have the names of kubeadm's v1beta4 and
// mean the same; a wait goes on beyond them while there is progress to be seen, up to Limit.
type Timeouts struct {
	// ControlPlaneComponentHealthCheck is how long a component of the control plane has from its
	// start until it is healthy: its startup probe ends it then, and the kubelet starts it again.
	// It is also how long one is waited for that is busy and shows nothing new.
	ControlPlaneComponentHealthCheck Duration `json:"controlPlaneComponentHealthCheck,omitempty"`
	// KubeletHealthCheck is the same of a kubelet and its node.
	KubeletHealthCheck Duration `json:"kubeletHealthCheck,omitempty"`
	// KubernetesAPICall bounds a request to the API, with all its tries.
	KubernetesAPICall Duration `json:"kubernetesAPICall,omitempty"`
	// EtcdAPICall is how long etcd may refuse, or leave unanswered, a change of its members.
	EtcdAPICall Duration `json:"etcdAPICall,omitempty"`
	// WithoutProgress is how long something is waited for while nothing moves on the hosts.
	WithoutProgress Duration `json:"withoutProgress,omitempty"`
	// Limit bounds each wait, whatever moves.
	Limit Duration `json:"limit,omitempty"`
}

// What timeouts are unless the file says otherwise.
const (
	// DefaultComponentHealthCheck is longer than kubeadm's four minutes: an API server of a host that
	// is emulated, or shared by many, took all of those, and was ended and begun anew.
	DefaultComponentHealthCheck = Duration(10 * time.Minute)
	DefaultKubeletHealthCheck   = Duration(5 * time.Minute)
	DefaultKubernetesAPICall    = Duration(2 * time.Minute)
	DefaultEtcdAPICall          = Duration(30 * time.Second)
	DefaultWithoutProgress      = Duration(2 * time.Minute)
	DefaultLimit                = Duration(30 * time.Minute)
)

func defaultTimeouts(t *Timeouts) {
	setDefault(&t.ControlPlaneComponentHealthCheck, DefaultComponentHealthCheck)
	setDefault(&t.KubeletHealthCheck, DefaultKubeletHealthCheck)
	setDefault(&t.KubernetesAPICall, DefaultKubernetesAPICall)
	setDefault(&t.EtcdAPICall, DefaultEtcdAPICall)
	setDefault(&t.WithoutProgress, DefaultWithoutProgress)
	setDefault(&t.Limit, max(DefaultLimit, t.ControlPlaneComponentHealthCheck, t.KubeletHealthCheck, t.WithoutProgress))
}

// The least and the most that a timeout may be. A static Pod's startup probe counts failures ten
// seconds apart; a look at the hosts comes every twelve seconds, and nothing is told from one.
const (
	leastHealthCheck = Duration(30 * time.Second)
	leastCall        = Duration(5 * time.Second)
	leastQuiet       = Duration(30 * time.Second)
	leastLimit       = Duration(time.Minute)
	mostTimeout      = Duration(24 * time.Hour)
)

func (k *checker) timeouts(t Timeouts) {
	for _, one := range []struct {
		name        string
		is          Duration
		least, most Duration
		usual       Duration
	}{
		{"controlPlaneComponentHealthCheck", t.ControlPlaneComponentHealthCheck, leastHealthCheck, mostTimeout, DefaultComponentHealthCheck},
		{"kubeletHealthCheck", t.KubeletHealthCheck, leastHealthCheck, mostTimeout, DefaultKubeletHealthCheck},
		{"kubernetesAPICall", t.KubernetesAPICall, leastCall, mostTimeout, DefaultKubernetesAPICall},
		{"etcdAPICall", t.EtcdAPICall, leastCall, mostTimeout, DefaultEtcdAPICall},
		{"withoutProgress", t.WithoutProgress, leastQuiet, mostTimeout, DefaultWithoutProgress},
		{"limit", t.Limit, leastLimit, mostTimeout, DefaultLimit},
	} {
		path := "timeouts." + one.name
		switch {
		case one.is < one.least:
			k.wrong(path, "write at least "+one.least.String()+"; it is "+one.usual.String()+" unless said", "%s is too short", one.is)
		case one.is > one.most:
			k.wrong(path, "write at most "+one.most.String()+"; it is "+one.usual.String()+" unless said", "%s is too long", one.is)
		}
	}
	if t.Limit < t.WithoutProgress {
		k.wrong("timeouts.limit", "write at least withoutProgress, "+t.WithoutProgress.String(), "%s is over before it", t.Limit).concludedFrom("withoutProgress")
	}
}

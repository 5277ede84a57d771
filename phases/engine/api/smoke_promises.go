package api

// What to do, by who keeps a promise.
const (
	seeControllers = "see what they say: slipway kubectl -- -n kube-system logs -l component=kube-controller-manager --tail=20"
	seeScheduler   = "see what it says: slipway kubectl -- -n kube-system logs -l component=kube-scheduler --tail=20"
	seeKubelet     = "see what the node's kubelet says, on the host: journalctl -u kubelet -n 50"
	seeProxy       = "see what kube-proxy says: slipway kubectl -- -n kube-system logs -l k8s-app=kube-proxy --tail=20"
	seeNetwork     = "see whether the network add-on runs on both hosts (slipway kubectl -- -n kube-system get pods -o wide), and that no firewall drops its packets between them"
	seeDNS         = "see what CoreDNS says: slipway kubectl -- -n kube-system logs -l k8s-app=kube-dns --tail=20"
)

// smokePromises are all that is asked. Those that build on nothing are asked at the same time.
var smokePromises = []smokePromise{
	{"Deployment", "", (*Smoke).deployment, seeControllers},
	{"rollout and undo", "", (*Smoke).rollout, seeControllers},
	{"ConfigMap", "Deployment", (*Smoke).configMap, seeKubelet},
	{"Secret", "Deployment", (*Smoke).secret, seeKubelet},
	{"Service by name", "Deployment", (*Smoke).serviceByName, seeDNS},
	{"Service by ClusterIP", "Deployment", (*Smoke).clusterIP, seeProxy},
	{"Service by NodePort", "Deployment", (*Smoke).nodePort, seeProxy},
	{"DaemonSet", "", (*Smoke).daemonSet, seeControllers},
	{"Pods across hosts", "DaemonSet", (*Smoke).acrossHosts, seeNetwork},
	{"PersistentVolume and claim", "", (*Smoke).volume, seeControllers},
	{"StatefulSet", "PersistentVolume and claim", (*Smoke).statefulSet, seeControllers},
	{"Job", "", (*Smoke).job, seeControllers},
	{"CronJob", "", (*Smoke).cronJob, seeControllers},
	{"probes", "", (*Smoke).probes, seeKubelet},
	{"limits", "", (*Smoke).limits, seeKubelet},
	{"requests", "", (*Smoke).requests, seeScheduler},
	{"PodDisruptionBudget", "", (*Smoke).budget, seeControllers},
	{"taints and tolerations", "", (*Smoke).taints, seeScheduler},
	{"labels and selectors", "", (*Smoke).selectors, seeControllers},
}

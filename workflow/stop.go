package workflow

import "github.com/slipway-k8s/slipway/phases"

// Stop ends all that a cluster runs.
var Stop = Workflow{
	Name:  "stop",
	Use:   "stop -f FILE",
	Short: "Stop the whole cluster, in the order in which nothing is lost",
	Long: `Stop the whole cluster, as before a power-off: the kubelets and containers of the workers,
then controllers, API servers and etcd of all control planes, and last the load balancers.
Containers have 30 s to end. All units stay enabled: hosts that boot afterwards bring the
cluster up by themselves; without a reboot it is started by: slipway start. Nodes are
neither cordoned nor drained. What an interrupted stop left is taken up where it is: run
the same command again, or slipway start.`,
	reach:   everyHost,
	plan:    of(phases.Stop),
	already: "the whole cluster is stopped already",
}

// Start brings up a cluster that was stopped.
var Start = Workflow{
	Name:  "start",
	Use:   "start -f FILE",
	Short: "Start a cluster that was stopped, and wait until it is well",
	Long: `Start what 'slipway stop', or a power cut, has stopped: all control planes at once, then the
load balancers, and the workers when an API server answers. Then wait until every node is
Ready. Units that are not enabled are left alone, and so is what was cordoned.`,
	reach:   everyHost,
	plan:    of(phases.Start),
	already: "every host and node runs",
	health:  true,
}

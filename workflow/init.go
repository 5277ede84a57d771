package workflow

import "github.com/slipway-k8s/slipway/phases"

// Init brings up a cluster.
var Init = Workflow{
	Name:  "init",
	Use:   "init -f FILE --bundle FILE",
	Short: "Bring up a cluster on the hosts of a cluster file",
	Long: `Show the plan for every host of the cluster file, ask, carry it out, and verify. What an
interrupted or failed init left is taken up where it is: run the same command again.`,
	Bundle: true,
	reach:  everyHost,
	plan:   of(phases.Init),
	mints:  true,
	health: true,
}

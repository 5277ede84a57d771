package workflow

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases"
)

// All are the workflows there are. Commands, 'slipway plan NAME', help and completion come from it.
// A further one needs a row here and its file, a planner in phases/NAME.go, its name in
// phases/view/view.go with whom it is for (View.Targets), and its checks in phases/checks/table.go.
var All = []Workflow{Init, Join, Prepare, Reset, Remove, ImageLoad, HATest, UpgradeApply, UpgradeRollback, Cordon, Drain, Uncordon, Stop, Start, Reboot, Smoke}

// HostsOnly is the option of a workflow that then needs no bundle.
const HostsOnly = "hosts-only"

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
	health: true, traffic: true,
}

// Prepare brings hosts to where only joining is left.
var Prepare = Workflow{
	Name:  "prepare",
	Use:   "prepare -f FILE (--bundle FILE | --hosts-only) [HOST...]",
	Short: "Put all that a host needs there, and join it to nothing",
	Long: `Bring hosts to where only joining is left: settings, binaries, containerd, images and the
units of kubelet and balancers, not started (but the host's own haproxy, in mode local). Then 'slipway init' and 'slipway join' have less to do in a
maintenance window, and 'kubeadm join' can be typed on the host itself. On hosts that are in the cluster,
another bundle is only staged, any time ahead: binaries beside those in force, and images; nothing is
restarted, and 'slipway upgrade apply' then has nothing left to bring.

With --hosts-only only the hosts' own settings are set, and no bundle is needed: swap, kernel modules and parameters, host
name, firewall, SELinux, and what the file's section prepare asks for.`,
	Args: SomeHosts,
	Options: []Option{{
		Name: HostsOnly, Of: func(r *Request) any { return &r.HostsOnly },
		Usage: "only the hosts' own settings, without a bundle",
	}},
	Bundle: true,
	reach:  func(c *cluster.Cluster, r Request) []cluster.Host { return withControlPlanes(c, r.Hosts) },
	plan:   of(phases.Prepare),
	mints:  true, traffic: true,
}

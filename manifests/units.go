package manifests

import (
	"strings"

	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// unitFiles are the units that every node runs, kubeadm's drop-in for the
// kubelet, and what a control plane with an etcd runs beside them.
func unitFiles(c *cluster.Cluster, host cluster.Host) []File {
	files := []File{
		templateFile(plan.PhaseContainerd, UnitsFolder+"/"+ContainerdUnit, "containerd.service", func(Input) (any, error) {
			return map[string]any{"Binary": Containerd, "Config": ContainerdConfig}, nil
		}),
		templateFile(plan.PhaseKubelet, UnitsFolder+"/"+KubeletUnit, "kubelet.service", func(in Input) (any, error) {
			return map[string]any{
				"Binary": KubeletBinary, "Modules": strings.Join(modules, " "), "Sysctls": SysctlFile, "Limits": limits(), "HostsLine": in.hostsLine(host),
			}, nil
		}),
		templateFile(plan.PhaseKubelet, KubeletDropIn, "10-kubeadm.conf", func(Input) (any, error) {
			return map[string]any{
				"Binary": KubeletBinary, "Bootstrap": BootstrapKubelet, "Kubeconfig": KubeletConf,
				"Config": KubeletConfig, "Flags": KubeletFlags, "Idle": idleVariable + "=" + idleSeconds,
			}, nil
		}),
		templateFile(plan.PhaseKubelet, ScopeDropIn, "cri-containerd-scope.conf", func(Input) (any, error) {
			before := KubeletUnit
			if hasEtcd(c, host) {
				before += " " + HandoverUnit
			}
			return map[string]any{"Before": before}, nil
		}),
	}
	if hasEtcd(c, host) {
		files = append(files, templateFile(plan.PhaseEtcd, UnitsFolder+"/"+HandoverUnit, "etcd-handover.service", func(Input) (any, error) {
			return map[string]any{
				"Binary": Handover, "After": strings.Join([]string{ContainerdUnit, KubeletUnit, HAProxyUnit, KeepalivedUnit}, " "),
			}, nil
		}))
	}
	return files
}

// hostsLine is the line of /etc/hosts that the host needs; "" where it needs none.
func (in Input) hostsLine(host cluster.Host) string {
	for _, entry := range HostsEntries(in.Cluster, in.Facts[host.Name]) {
		return hosts.HostsLine(entry.Address, entry.Names)
	}
	return ""
}

// units are the units and what each has to be restarted for. Files that the program
// watches itself are left out: containerd reads certs.d for each pull, the kubelet follows
// its certificate and its manifests.
func units(c *cluster.Cluster, host cluster.Host) []Unit {
	var found []Unit
	if host.IsNode() {
		found = nodeUnits()
	}
	if hasEtcd(c, host) {
		found = append(found, Unit{
			Phase: plan.PhaseEtcd, Name: HandoverUnit, Enabled: true, Active: true, Inputs: []string{UnitsFolder + "/" + HandoverUnit},
		})
	}
	if c.Balances(host) {
		found = append(found, balancerUnit(HAProxyUnit, HAProxyConfig))
	}
	if c.MayHold(host) {
		found = append(found, balancerUnit(KeepalivedUnit, KeepalivedConfig))
	}
	return found
}

// hasEtcd tells whether a member of etcd runs on the host.
func hasEtcd(c *cluster.Cluster, host cluster.Host) bool {
	return c.StackedEtcd() && host.HasRole(cluster.RoleControlPlane)
}

func nodeUnits() []Unit {
	return []Unit{
		{
			Phase: plan.PhaseContainerd, Name: ContainerdUnit, Enabled: true, Active: true,
			Inputs: []string{Containerd, ContainerdConfig, UnitsFolder + "/" + ContainerdUnit},
		},
		{
			Phase: plan.PhaseKubelet, Name: KubeletUnit, Enabled: true, Active: true,
			Inputs: []string{
				Kube, KubeletConfig, KubeletFlags, KubeletConf,
				UnitsFolder + "/" + KubeletUnit, KubeletDropIn, ScopeDropIn,
			},
		},
	}
}

// balancerUnit takes a new configuration by a reload, which cuts nothing that flows. The
// CA and the unit itself, which names the folder with the program's version, need a restart.
func balancerUnit(name, config string) Unit {
	return Unit{
		Phase: plan.PhaseLoadBalancer, Name: name, Enabled: true, Active: true,
		Inputs:  []string{UnitsFolder + "/" + name, BalancerCA},
		Reloads: []string{config},
	}
}

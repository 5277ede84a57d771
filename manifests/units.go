package manifests

import (
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/templates"
)

// unitFiles are the units that every node runs, and the drop-in by which kubeadm and the
// kubelet understand each other.
func unitFiles() ([]File, error) {
	units := []struct {
		phase, path, template string
		data                  map[string]string
	}{
		{PhaseContainerd, UnitsFolder + "/" + ContainerdUnit, "containerd.service", map[string]string{
			"Binary": Containerd, "Config": ContainerdConfig,
		}},
		{PhaseKubelet, UnitsFolder + "/" + KubeletUnit, "kubelet.service", map[string]string{
			"Binary": KubeletBinary,
		}},
		{PhaseKubelet, KubeletDropIn, "10-kubeadm.conf", map[string]string{
			"Binary": KubeletBinary, "Bootstrap": BootstrapKubelet, "Kubeconfig": KubeletConf,
			"Config": KubeletConfig, "Flags": KubeletFlags,
		}},
	}
	var files []File
	for _, unit := range units {
		content, err := templates.Render(unit.template, unit.data)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Phase: unit.phase, Path: unit.path, Mode: 0o644, Content: content, Compare: Exact})
	}
	return files, nil
}

// units are the units and what each has to be restarted for. Files that the program
// watches itself are left out: containerd reads certs.d for each pull, the kubelet follows
// its certificate and its manifests.
func units(c *cluster.Cluster, host cluster.Host) []Unit {
	var found []Unit
	if runsKubelet(host) {
		found = nodeUnits()
	}
	if c.Balances(host) {
		found = append(found, balancerUnit(HAProxyUnit, HAProxyConfig, "/usr/sbin/haproxy"))
	}
	if c.MayHold(host) {
		found = append(found, balancerUnit(KeepalivedUnit, KeepalivedConfig, "/usr/sbin/keepalived"))
	}
	return found
}

func nodeUnits() []Unit {
	return []Unit{
		{
			Phase: PhaseContainerd, Name: ContainerdUnit, Enabled: true, Active: true,
			Inputs: []string{Containerd, ContainerdConfig, UnitsFolder + "/" + ContainerdUnit},
		},
		{
			Phase: PhaseKubelet, Name: KubeletUnit, Enabled: true, Active: true,
			Inputs: []string{
				Kube, KubeletConfig, KubeletFlags, KubeletConf,
				UnitsFolder + "/" + KubeletUnit, KubeletDropIn,
			},
		},
	}
}

// balancerUnit takes a new configuration by a reload, which cuts nothing that flows. The
// CA, the program and the unit itself need a restart.
func balancerUnit(name, config, binary string) Unit {
	return Unit{
		Phase: PhaseLoadBalancer, Name: name, Enabled: true, Active: true,
		Inputs:  []string{BalancerRoot + binary, UnitsFolder + "/" + name, BalancerCA},
		Reloads: []string{config},
	}
}

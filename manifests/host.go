package manifests

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Skeleton is what one host should be, as far as the cluster file and the bundle say: which files,
// units and images, but no file's content. What the bundle lacks, which may be all, is left out.
func Skeleton(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) HostState {
	state, _ := skeleton(c, bill, host)
	return state
}

// skeleton is Skeleton; the error names something that the bundle lacks.
func skeleton(c *cluster.Cluster, bill bundle.Bill, host cluster.Host) (HostState, error) {
	state := HostState{Host: host.Name, Hostname: host.Name, Units: units(c, host), Files: files(c, host)}
	if host.Hostname == cluster.HostnameKeep { // no component uses it: all get the node's name as a flag
		state.Hostname = ""
	}
	if host.IsNode() {
		state.DisableSwap = !c.KeepsSwap()
		state.Modules = slices.Clone(modules)
		state.Sysctls = sysctls(c, hosts.Facts{})
		state.Directories = directories(c, host)
		state.Links = links(host)
	}
	var lacks error
	for _, name := range bundle.SetNames(c, host) {
		if set, there := bill.Set(name); there {
			state.Sets = append(state.Sets, set)
		} else {
			lacks = fmt.Errorf("find set %s: it is not in the bundle", name)
		}
	}
	in := Input{Cluster: c, Bill: bill}
	for _, name := range imageNames(c, host) {
		if image, err := in.image(name); err == nil {
			state.Images = append(state.Images, image)
		} else {
			lacks = err
		}
	}
	return state, lacks
}

// Host renders everything that one host should be.
func Host(in Input, name string) (HostState, error) {
	host, err := in.host(name)
	if err != nil {
		return HostState{}, err
	}
	state, err := skeleton(in.Cluster, in.Bill, host)
	if err == nil && host.IsNode() {
		_, err = EndpointURL(in.Cluster)
	}
	if err == nil {
		err = in.fill(&state, host)
	}
	if err != nil {
		return HostState{}, fmt.Errorf("render host %s: %w", name, err)
	}
	return state, nil
}

// HostSettings renders what of a host's own settings should be, for which no bundle is needed: swap, modules, kernel
// parameters, names, firewall, SELinux.
func HostSettings(in Input, name string) (HostState, error) {
	host, err := in.host(name)
	if err != nil {
		return HostState{}, err
	}
	whole := Skeleton(in.Cluster, in.Bill, host)
	state := HostState{
		Host: whole.Host, Hostname: whole.Hostname, DisableSwap: whole.DisableSwap, Modules: whole.Modules, Sysctls: whole.Sysctls,
		Files: slices.DeleteFunc(whole.Files, func(file File) bool { return file.Phase != plan.PhasePrepare }),
	}
	if err := in.fill(&state, host); err != nil {
		return HostState{}, fmt.Errorf("render the settings of host %s: %w", name, err)
	}
	return state, nil
}

// fill adds to a skeleton what is known only with keys and facts.
func (in Input) fill(state *HostState, host cluster.Host) error {
	if state.Sysctls != nil {
		state.Sysctls = sysctls(in.Cluster, in.Facts[host.Name])
		state.Entries = HostsEntries(in.Cluster, in.Facts[host.Name])
	}
	state.Entries = append(state.Entries, PeerEntries(in.Cluster, host)...)
	state.Firewall = Firewall(in.Cluster, host, in.Facts[host.Name])
	var err error
	if state.PolicyModule, err = policyModule(in.Facts[host.Name]); err != nil {
		return err
	}
	for i := range state.Files {
		file := &state.Files[i]
		content, err := file.render(in)
		if err != nil {
			return err
		}
		file.Content, file.render = content, nil
		if file.Kubeconfig {
			file.CA = in.PKI.CA.Cert
		}
	}
	return in.nameCertificate(state, host)
}

// nameCertificate gives the kubelet's certificate its path, which has its date, and the link to it
// its target.
func (in Input) nameCertificate(state *HostState, host cluster.Host) error {
	for i := range state.Links {
		link := &state.Links[i]
		if link.Path != certs.KubeletCurrent {
			continue
		}
		pem, err := in.kubeletCertificate(host)
		if err != nil {
			return err
		}
		link.Target = pem.Path
		for i := range state.Files {
			if state.Files[i].Path == "" {
				state.Files[i].Path = pem.Path
			}
		}
	}
	return nil
}

func (in Input) host(name string) (cluster.Host, error) {
	host, ok := in.Cluster.Host(name)
	if !ok {
		return cluster.Host{}, fmt.Errorf("find host %s: it is not in the cluster file", name)
	}
	return host, nil
}

// files are all files of a host, in the order of the phases.
func files(c *cluster.Cluster, host cluster.Host) []File {
	if !host.IsNode() {
		return slices.Concat(billFiles(), pkiFiles(c, host), balancerFiles(c, host))
	}
	return slices.Concat(
		prepareFiles(host), billFiles(), containerdFiles(c, host), pkiFiles(c, host), kubeconfigFiles(c, host), podFiles(c, host),
		unitFiles(c, host), balancerFiles(c, host), kubeletFiles(c, host),
	)
}

// billFiles tell which bundle is in force on the host: what is there beside it is another's.
func billFiles() []File {
	return []File{{
		Phase: plan.PhaseActivate, Path: BillFile, Mode: 0o600, Compare: Exact,
		render: func(in Input) ([]byte, error) { return bundle.EncodeBill(in.Bill) },
	}}
}

// links are all links of a node.
func links(host cluster.Host) []Link {
	found := []Link{{Phase: plan.PhaseKubelet, Path: certs.KubeletCurrent, Seed: true}}
	if host.HasRole(cluster.RoleControlPlane) {
		// So kubectl works for root at once; a kubeconfig that is there already stays.
		found = append(found, Link{Phase: plan.PhaseKubeconfig, Path: RootKubeconfig, Target: AdminConf, Seed: true})
	}
	return found
}

// podFiles are the manifests of a control plane's static Pods.
func podFiles(c *cluster.Cluster, host cluster.Host) []File {
	if !host.HasRole(cluster.RoleControlPlane) {
		return nil
	}
	pod := func(phase plan.Phase, path string, render func(Input, cluster.Host) ([]byte, error)) File {
		return File{
			Phase: phase, Path: path, Mode: 0o600, Compare: Exact,
			render: func(in Input) ([]byte, error) { return render(in, host) },
		}
	}
	var files []File
	if c.StackedEtcd() {
		files = append(files, pod(plan.PhaseEtcd, EtcdManifest, func(in Input, host cluster.Host) ([]byte, error) {
			return EtcdPod(in, host.Name, StackedCluster(in.Cluster))
		}))
	}
	return append(files,
		pod(plan.PhaseControlPlane, APIServerManifest, Input.apiServerPod),
		pod(plan.PhaseControlPlane, ControllerManifest, Input.controllerManagerPod),
		pod(plan.PhaseControlPlane, SchedulerManifest, Input.schedulerPod))
}

// directories are those whose mode matters; the others come with what lies in them. That of the
// network's configurations is there before containerd starts, which would make it with 0700.
func directories(c *cluster.Cluster, host cluster.Host) []Directory {
	found := []Directory{
		{Phase: plan.PhaseKubelet, Path: ManifestsFolder, Mode: 0o700},
		{Phase: plan.PhaseContainerd, Path: CNIConfFolder, Mode: 0o755},
	}
	if host.HasRole(cluster.RoleControlPlane) {
		if c.StackedEtcd() {
			found = append(found, Directory{Phase: plan.PhaseEtcd, Path: EtcdData, Mode: 0o700})
		}
		found = append(found,
			Directory{Phase: plan.PhaseCerts, Path: certs.EtcdFolder, Mode: 0o755},
			Directory{Phase: plan.PhaseKubeconfig, Path: RootKubeFolder, Mode: 0o750, Seed: true})
	}
	return found
}

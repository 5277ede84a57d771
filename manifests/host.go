package manifests

import (
	"fmt"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// Host renders everything that one host should be.
func Host(in Input, name string) (HostState, error) {
	host, err := in.host(name)
	if err != nil {
		return HostState{}, err
	}
	state := HostState{Host: name, Hostname: name, Units: units(in.Cluster, host)}
	if host.Hostname == cluster.HostnameKeep { // no component uses it: all get the node's name as a flag
		state.Hostname = ""
	}
	if host.IsNode() {
		state.DisableSwap = true
		state.Modules = ModuleNames()
		state.Sysctls = in.sysctls(host)
		state.Entries = HostsEntries(in.Cluster, in.Facts[name])
		state.Directories = directories(in.Cluster, host)
	}
	if state.Sets, err = in.sets(host); err != nil {
		return HostState{}, fmt.Errorf("render host %s: %w", name, err)
	}
	if state.Images, err = in.images(host); err != nil {
		return HostState{}, fmt.Errorf("render host %s: %w", name, err)
	}
	if state.Files, state.Links, err = in.files(host); err != nil {
		return HostState{}, fmt.Errorf("render host %s: %w", name, err)
	}
	return state, nil
}

func (in Input) host(name string) (cluster.Host, error) {
	host, ok := in.Cluster.Host(name)
	if !ok {
		return cluster.Host{}, fmt.Errorf("find host %s: it is not in the cluster file", name)
	}
	return host, nil
}

// files are all files and links of a host, in the order of the phases.
func (in Input) files(host cluster.Host) ([]File, []Link, error) {
	renders := []func(cluster.Host) ([]File, error){in.pkiFiles, in.balancerFiles}
	if host.IsNode() {
		renders = []func(cluster.Host) ([]File, error){
			in.prepareFiles, in.containerdFiles, in.pkiFiles, in.kubeconfigFiles, in.podFiles,
			in.unitFiles, in.balancerFiles,
		}
	}
	var files []File
	for _, render := range renders {
		more, err := render(host)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, more...)
	}
	if !host.IsNode() {
		return files, nil, nil
	}
	kubelet, links, err := in.kubeletFiles(host)
	if err != nil {
		return nil, nil, err
	}
	if host.HasRole(cluster.RoleControlPlane) {
		// So kubectl works for root at once; a kubeconfig that is there already stays.
		links = append(links, Link{Phase: plan.PhaseKubeconfig, Path: RootKubeconfig, Target: AdminConf, Seed: true})
	}
	return append(files, kubelet...), links, nil
}

// podFiles are the manifests of a control plane's static Pods.
func (in Input) podFiles(host cluster.Host) ([]File, error) {
	if !host.HasRole(cluster.RoleControlPlane) {
		return nil, nil
	}
	type podFile struct {
		phase  plan.Phase
		path   string
		render func(cluster.Host) ([]byte, error)
	}
	pods := []podFile{
		{plan.PhaseControlPlane, APIServerManifest, in.apiServerPod},
		{plan.PhaseControlPlane, ControllerManifest, in.controllerManagerPod},
		{plan.PhaseControlPlane, SchedulerManifest, in.schedulerPod},
	}
	if in.Cluster.StackedEtcd() {
		etcd := func(h cluster.Host) ([]byte, error) { return EtcdPod(in, h.Name, StackedCluster(in.Cluster)) }
		pods = append([]podFile{{plan.PhaseEtcd, EtcdManifest, etcd}}, pods...)
	}
	var files []File
	for _, pod := range pods {
		content, err := pod.render(host)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Phase: pod.phase, Path: pod.path, Mode: 0o600, Content: content, Compare: Exact})
	}
	return files, nil
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

// sets are the parts of the bundle that are unpacked onto the host itself.
func (in Input) sets(host cluster.Host) ([]bundle.FileSet, error) {
	var sets []bundle.FileSet
	for _, name := range bundle.SetNames(in.Cluster, host) {
		set, ok := in.Bill.Set(name)
		if !ok {
			return nil, fmt.Errorf("find set %s: it is not in the bundle", name)
		}
		sets = append(sets, set)
	}
	return sets, nil
}

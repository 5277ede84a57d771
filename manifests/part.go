package manifests

import (
	"fmt"
	"path"
	"slices"

	bootstrapapi "k8s.io/cluster-bootstrap/token/api"

	"github.com/slipway-k8s/slipway/phases/plan"
)

// What follows the control planes that come and go, on hosts and in the cluster, is
// rendered apart as well: it needs no bundle, as little as taking hosts out does.

// Balancer renders only what leads a balancer's clients: its configuration, and the units that read
// it. The units' own files, which name the version of the bundle that is in force there, are left out.
func Balancer(in Input, name string) (HostState, error) {
	host, err := in.host(name)
	if err != nil {
		return HostState{}, err
	}
	state := HostState{Host: name, Units: units(in.Cluster, host), Files: balancerFiles(in.Cluster, host)}
	state.Units = slices.DeleteFunc(state.Units, func(unit Unit) bool { return unit.Phase != plan.PhaseLoadBalancer })
	state.Files = slices.DeleteFunc(state.Files, func(file File) bool { return path.Dir(file.Path) == UnitsFolder })
	if err := in.fill(&state, host); err != nil {
		return HostState{}, fmt.Errorf("render the balancer of %s: %w", name, err)
	}
	return state, nil
}

// ClusterInfo renders the one object that may name a control plane: where a host that is
// to join finds the cluster.
func ClusterInfo(in Input) (Object, error) {
	objects, err := bootstrapObjects(in)
	if err != nil {
		return Object{}, err
	}
	for _, object := range objects {
		if object.Key.Kind == "ConfigMap" && object.Key.Name == bootstrapapi.ConfigMapClusterInfo {
			return inInventory(object)
		}
	}
	return Object{}, fmt.Errorf("render %s: it is not among the objects of %s", bootstrapapi.ConfigMapClusterInfo, plan.PhaseBootstrapToken)
}

package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-k8s/slipway/cluster"
)

// The endpoint's modes, in the cluster file's words.
const (
	modeControlPlane  = string(cluster.EndpointControlPlane)
	modeVIP           = string(cluster.EndpointVIP)
	modeLoadBalancers = string(cluster.EndpointLoadBalancers)
	modeLocal         = string(cluster.EndpointLocal)
	modeExternal      = string(cluster.EndpointExternal)
)

var endpointModes = []string{modeVIP, modeLoadBalancers, modeLocal, modeExternal, modeControlPlane}

// EndpointModes are what Options.Endpoint may be.
func EndpointModes() []string { return slices.Clone(endpointModes) }

type fileEndpoint struct {
	Mode string `yaml:"mode"`
	Host string `yaml:"host,omitempty"`
}

// endpointMode is the mode that a new cluster file gets: the one asked for, else by the
// hosts; empty where one control plane needs none.
func (r *record) endpointMode(asked string) string {
	switch {
	case asked != "":
		return asked
	case r.count(RoleLoadBalancer) > 0:
		return modeLoadBalancers
	case r.count(RoleControlPlane) > 1:
		return modeVIP
	}
	return ""
}

// endpoint is the endpoint of a new cluster file.
func (r *record) endpoint(mode string) (fileEndpoint, error) {
	made := fileEndpoint{Mode: mode}
	switch mode {
	case "", modeLocal:
	case modeControlPlane:
		if r.count(RoleControlPlane) > 1 {
			return made, fmt.Errorf("endpoint mode %s is for one control plane, and the lab has %d", mode, r.count(RoleControlPlane))
		}
	case modeVIP:
		made.Host = r.Virtual.String()
	case modeLoadBalancers:
		if r.count(RoleLoadBalancer) == 0 {
			return made, fmt.Errorf("endpoint mode %s needs load balancers, and the lab has none", mode)
		}
		made.Host = r.Virtual.String()
	case modeExternal:
		// The user's own load balancer, whatever runs on it: so it is not in the file.
		first := slices.IndexFunc(r.Hosts, func(h *hostRecord) bool { return h.Role == RoleLoadBalancer })
		if first < 0 {
			return made, fmt.Errorf("endpoint mode %s needs a load balancer to be the endpoint, and the lab has none", mode)
		}
		made.Host = r.Hosts[first].Address.String()
	default:
		return made, fmt.Errorf("endpoint mode %q is not one of %s", mode, strings.Join(endpointModes, ", "))
	}
	return made, nil
}

func (r *record) count(role Role) int {
	count := 0
	for _, h := range r.Hosts {
		if h.Role == role {
			count++
		}
	}
	return count
}

// checkEndpoint tells whether the cluster file (existing, or a new one where that is nil)
// can have the endpoint that is asked for.
func (r *record) checkEndpoint(asked string, existing []byte) error {
	if existing == nil {
		_, err := r.endpoint(r.endpointMode(asked))
		return err
	}
	if asked == "" {
		return nil
	}
	documents, err := decode(existing)
	if err != nil {
		return err
	}
	root, err := clusterDocument(documents, r.Name)
	if err != nil {
		return err
	}
	if has := modeOf(root); has != asked {
		return fmt.Errorf("its endpoint.mode is %q, and adding hosts does not make it %q", has, asked)
	}
	return nil
}

// modeOf is the endpoint's mode that a Cluster file says; empty for none.
func modeOf(file *yaml.Node) string {
	endpoint := field(file, "endpoint")
	if endpoint == nil {
		return ""
	}
	if mode := field(endpoint, "mode"); mode != nil {
		return mode.Value
	}
	return ""
}

// clusterDocument finds the document that is this lab's Cluster.
func clusterDocument(documents []any, name string) (*yaml.Node, error) {
	for _, document := range documents {
		root := document.(*yaml.Node)
		if len(root.Content) == 0 {
			continue
		}
		root = root.Content[0]
		if kind := field(root, "kind"); kind == nil || kind.Value != cluster.Kind {
			continue
		}
		if its := field(root, "name"); its == nil || its.Value != name {
			return nil, fmt.Errorf("it is the file of another cluster, not of lab %s", name)
		}
		return root, nil
	}
	return nil, errors.New("it is not a Cluster file")
}

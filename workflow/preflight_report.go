package workflow

import "github.com/slipway-k8s/slipway/phases/checks"

// Preflight is what stands in a workflow's way, and what does not: every check with what it found.
type Preflight struct {
	Cluster  string `json:"cluster"`
	Workflow string `json:"workflow"`
	// Hosts are those of the file, in its order.
	Hosts   []string        `json:"hosts"`
	Results []checks.Result `json:"results"`
	// Traffic is what was tried between the hosts, and what of it does not pass.
	Traffic []checks.TrafficRow `json:"traffic,omitempty"`
	// Refused tells that the workflow is not begun.
	Refused bool `json:"refused"`
}

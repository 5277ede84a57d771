package manifests

import (
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/templates"
)

// LabelledFolders are those that are labelled anew when the policy learns how.
var LabelledFolders = []string{"/opt/slipway", KubernetesFolder}

// policyModule is the module of a host's SELinux policy which says how Slipway's programs are labelled; nil
// where SELinux is off. Without it they would be ordinary data to the policy, which systemd may not run.
func policyModule(facts hosts.Facts) ([]byte, error) {
	if facts.SELinux == "" {
		return nil, nil
	}
	return templates.Render("slipway.cil", facts.SELinuxPolicy)
}

package manifests

import (
	"errors"

	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
	"github.com/slipway-k8s/slipway/templates"
)

// corefileKey names the Corefile, which its users edit: as with kubeadm it is theirs once
// it is there.
var corefileKey = hosts.ObjectKey{APIVersion: "v1", Kind: "ConfigMap", Namespace: namespaceKubeSystem, Name: "coredns"}

// coreDNSObjects are the add-on CoreDNS.
func coreDNSObjects(in Input) ([]Object, error) {
	reference, err := in.reference(imageCoreDNS)
	if err != nil {
		return nil, err
	}
	corefile, err := templates.Render("Corefile", map[string]any{"Domain": in.Cluster.Networking.DNSDomain, "Forwards": in.forwards()})
	if err != nil {
		return nil, err
	}
	addresses := in.Cluster.Networking.DNSAddresses()
	if len(addresses) == 0 {
		return nil, errors.New("find the DNS address: no Service subnet has a tenth one")
	}
	return renderObjects(plan.PhaseAddonCoreDNS, "coredns.yaml", map[string]any{
		"Image": reference, "Corefile": string(corefile), "Addresses": addresses,
	})
}

package cluster

import "maps"

// Labels and taints of a control plane's node, as kubeadm sets them.
const (
	LabelControlPlane = "node-role.kubernetes.io/control-plane"
	// LabelExcludeFromLoadBalancers keeps cloud load balancers away from control planes.
	LabelExcludeFromLoadBalancers = "node.kubernetes.io/exclude-from-external-load-balancers"
	TaintControlPlane             = LabelControlPlane
	EffectNoSchedule              = "NoSchedule"
	EffectPreferNoSchedule        = "PreferNoSchedule"
	EffectNoExecute               = "NoExecute"
)

// NodeLabels are all labels that the host's node shall have: the file's, and kubeadm's
// for control planes.
func (h Host) NodeLabels() map[string]string {
	labels := map[string]string{}
	maps.Copy(labels, h.Labels)
	if h.HasRole(RoleControlPlane) {
		labels[LabelControlPlane] = ""
		labels[LabelExcludeFromLoadBalancers] = ""
	}
	return labels
}

// NodeTaints are all taints that the host's node shall have: the file's, and the
// control plane's own unless the host is a worker as well.
func (h Host) NodeTaints() []Taint {
	var taints []Taint
	if h.HasRole(RoleControlPlane) && !h.HasRole(RoleWorker) {
		taints = append(taints, Taint{Key: TaintControlPlane, Effect: EffectNoSchedule})
	}
	for _, taint := range h.Taints {
		if len(taints) > 0 && taint == taints[0] {
			continue
		}
		taints = append(taints, taint)
	}
	return taints
}

// String writes a taint as key=value:effect, with an equals sign only before a value.
func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// MapFiles applies a function to every name of a file on the operator's machine, so
// that the caller, who knows that machine, can make them absolute.
func (c *Cluster) MapFiles(apply func(string) string) {
	each := func(names ...*string) {
		for _, name := range names {
			if *name != "" {
				*name = apply(*name)
			}
		}
	}
	for i := range c.Hosts {
		c.Hosts[i].SSH = c.Hosts[i].SSH.apart() // lists that are inherited are the cluster's own
		each(c.Hosts[i].SSH.files()...)
	}
	each(c.SSH.files()...)
	if external := c.Etcd.External; external != nil {
		each(&external.CAFile, &external.CertFile, &external.KeyFile)
	}
	for i := range c.Bundle.TrustedKeyFiles {
		each(&c.Bundle.TrustedKeyFiles[i])
	}
	for i := range c.Registries {
		each(&c.Registries[i].CAFile, &c.Registries[i].CredentialsFile)
	}
}

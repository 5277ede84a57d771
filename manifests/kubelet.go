package manifests

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// kubeletFiles are what kubeadm leaves for a kubelet on a host: its configuration, its
// flags, and a kubeconfig that follows the certificate which the kubelet rotates itself; and
// beside them the network configuration by which a node is Ready.
func kubeletFiles(c *cluster.Cluster, host cluster.Host) []File {
	files := []File{
		plainFile(plan.PhaseKubelet, KubeletConfig, func(in Input) ([]byte, error) {
			configuration, err := in.kubeletHostConfiguration(host)
			if err != nil {
				return nil, err
			}
			return configuration.yaml()
		}),
		// What is this host's own, in the form in which kubeadm lays it over what it
		// downloads when it upgrades.
		plainFile(plan.PhaseKubelet, KubeletInstance, func(Input) ([]byte, error) {
			return fmt.Appendf(nil, "containerRuntimeEndpoint: %q\n", CRISocket), nil
		}),
		plainFile(plan.PhaseKubelet, KubeletFlags, func(in Input) ([]byte, error) { return in.kubeletFlags(host), nil }),
	}
	return slices.Concat(files, kubeletCredentials(c, host), cniFiles(c))
}

// kubeletFlags is kubeadm's file of flags that differ from host to host.
func (in Input) kubeletFlags(host cluster.Host) []byte {
	flags := []flag{
		// The name is the node's identity in its certificate. It must not follow the
		// host's name, should something else change that.
		{"hostname-override", host.Name},
		{"node-ip", nodeIP(host)},
	}
	// A node that registers with its taints has no moment without them, in which the
	// scheduler could send it what the taints are to keep away.
	var taints []string
	for _, taint := range host.NodeTaints() {
		taints = append(taints, taint.String())
	}
	if len(taints) > 0 {
		flags = append(flags, flag{"register-with-taints", strings.Join(taints, ",")})
	}
	words := arguments(flags, in.Cluster.ExtraArgs.Kubelet)
	for i, word := range words {
		words[i] = variableWord(word)
	}
	return []byte("KUBELET_KUBEADM_ARGS=" + quoted(strings.Join(words, " ")) + "\n")
}

// variableWord writes a word into a variable that systemd splits into words, as it stands or,
// where it would not stay one word of the same text, in quotes (systemd.service(5), "Command
// lines").
func variableWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"'\\") {
		return word
	}
	return quoted(word)
}

// quoted is a text in double quotes, as systemd reads them in words and in environment files.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// nodeIP is the host's first address, and the first of the other family where it has one.
func nodeIP(host cluster.Host) string {
	first := host.Address()
	for _, address := range host.Addresses {
		if loopback(address) != loopback(first) {
			return first + "," + address
		}
	}
	return first
}

// kubeletCredentials are the minted certificate under a dated name, which kubeletCertificate
// gives it, and the kubeconfig that names the link to the current one: what kubeadm's
// kubelet-finalize leaves. From then on certificate and link are the kubelet's.
func kubeletCredentials(c *cluster.Cluster, host cluster.Host) []File {
	entry, _ := certs.Find(certs.Kubelet)
	spec, server := entry.Spec(c, host), kubeletServer(c, host)
	kubeconfig := kubeconfigFile(plan.PhaseKubelet, spec, server, func(in Input) ([]byte, error) {
		return rotatingKubeconfig(server, in.PKI.CA.Cert, spec.CommonName, certs.KubeletCurrent, in.Cluster.Name), nil
	})
	kubeconfig.Secret = false // it names the key's file and holds none
	seed := File{
		Phase: plan.PhaseKubelet, Mode: 0o600, Secret: true, Compare: Seed, Unless: certs.KubeletCurrent,
		render: func(in Input) ([]byte, error) {
			pem, err := in.kubeletCertificate(host)
			return pem.Content, err
		},
	}
	return []File{seed, kubeconfig}
}

// kubeletCertificate is a kubelet's minted certificate and key under their dated name.
func (in Input) kubeletCertificate(host cluster.Host) (certs.File, error) {
	leaf, err := in.leaf(host.Name, certs.Kubelet)
	if err != nil {
		return certs.File{}, err
	}
	pem, err := leaf.KubeletFile()
	if err != nil {
		return certs.File{}, fmt.Errorf("read the kubelet certificate of %s: %w", host.Name, err)
	}
	return pem, nil
}

// kubeletServer is the API that a kubelet talks to: a control plane's own, so that it
// comes up, and is upgraded, without the others; elsewhere the endpoint.
func kubeletServer(c *cluster.Cluster, host cluster.Host) string {
	if host.HasRole(cluster.RoleControlPlane) {
		return "https://" + APIAddress(c, host)
	}
	endpoint, _ := EndpointURL(c) // Host asks whether there is one
	return endpoint
}

// ResolvConf is where the kubelet looks for name servers unless it is told otherwise.
const ResolvConf = "/etc/resolv.conf"

// ConfiguredResolver is the resolv.conf that the user's KubeletConfiguration names for all hosts;
// set is false where it names none, and each host's own counts. Empty: no file at all.
func ConfiguredResolver(c *cluster.Cluster) (path string, set bool) {
	path, set = c.Kubelet["resolvConf"].(string)
	return path, set
}

// Resolver is the resolv.conf that a host's Pods inherit, and the name servers in it. The
// file is empty where there is none.
func Resolver(c *cluster.Cluster, facts hosts.Facts) (path string, servers []string) {
	if path, set := ConfiguredResolver(c); set && path != facts.Resolver {
		return path, hosts.NameServers(facts.Contents[path])
	}
	return facts.Resolver, facts.NameServers
}

// NameServers are those that a host's Pods inherit and can reach: a server on the host's
// loopback is another one, or none, on theirs, and one with a link-local address (fe80::1%eth0)
// is on no link of theirs.
func NameServers(c *cluster.Cluster, facts hosts.Facts) []netip.Addr {
	_, servers := Resolver(c, facts)
	var found []netip.Addr
	for _, server := range servers {
		if address, err := netip.ParseAddr(server); err == nil && !address.IsLoopback() && !address.IsUnspecified() &&
			!(address.Is6() && address.IsLinkLocalUnicast()) {
			found = append(found, address.Unmap())
		}
	}
	return found
}

// forwards tells whether CoreDNS asks other servers for names that are not the cluster's.
// Where no node names a server that it could ask, it would not even start with that in its
// Corefile; it then answers for the cluster alone. Of hosts that were not seen, servers are
// expected.
func (in Input) forwards() bool {
	seen := false
	for _, host := range in.Cluster.Nodes() {
		facts, known := in.Facts[host.Name]
		if known && len(NameServers(in.Cluster, facts)) > 0 {
			return true
		}
		seen = seen || known
	}
	return !seen
}

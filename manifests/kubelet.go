package manifests

import (
	"fmt"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/certs"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// kubeletFiles are what kubeadm leaves for a kubelet on a host: its configuration, its
// flags, and a kubeconfig that follows the certificate which the kubelet rotates itself; and
// beside them the network configuration by which a node is Ready.
func (in Input) kubeletFiles(host cluster.Host) ([]File, []Link, error) {
	configuration, err := in.kubeletHostConfiguration(host)
	if err != nil {
		return nil, nil, err
	}
	config, err := configuration.yaml()
	if err != nil {
		return nil, nil, err
	}
	files := []File{
		plainFile(plan.PhaseKubelet, KubeletConfig, config),
		// What is this host's own, in the form in which kubeadm lays it over what it
		// downloads when it upgrades.
		plainFile(plan.PhaseKubelet, KubeletInstance, fmt.Appendf(nil, "containerRuntimeEndpoint: %q\n", CRISocket)),
		plainFile(plan.PhaseKubelet, KubeletFlags, in.kubeletFlags(host)),
	}
	credentials, link, err := in.kubeletCredentials(host)
	if err != nil {
		return nil, nil, err
	}
	network, err := in.cniFiles()
	return slices.Concat(files, credentials, network), []Link{link}, err
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

// kubeletCredentials are the minted certificate under a dated name, the link that says
// which one is current, and the kubeconfig that names the link: what kubeadm's
// kubelet-finalize leaves. From then on the first two are the kubelet's.
func (in Input) kubeletCredentials(host cluster.Host) ([]File, Link, error) {
	leaf, err := in.leaf(host.Name, certs.Kubelet)
	if err != nil {
		return nil, Link{}, err
	}
	pem, err := leaf.KubeletFile()
	if err != nil {
		return nil, Link{}, fmt.Errorf("read the kubelet certificate of %s: %w", host.Name, err)
	}
	server, err := in.kubeletServer(host)
	if err != nil {
		return nil, Link{}, err
	}
	entry, _ := certs.Find(certs.Kubelet)
	spec := entry.Spec(in.Cluster, host)
	content := rotatingKubeconfig(server, in.PKI.CA.Cert, spec.CommonName, certs.KubeletCurrent, in.Cluster.Name)
	kubeconfig := in.kubeconfigFile(plan.PhaseKubelet, spec, server, content)
	kubeconfig.Secret = false // it names the key's file and holds none
	seed := File{
		Phase: plan.PhaseKubelet, Path: pem.Path, Mode: pem.Mode, Content: pem.Content, Secret: true,
		Compare: Seed, Unless: certs.KubeletCurrent,
	}
	link := Link{Phase: plan.PhaseKubelet, Path: certs.KubeletCurrent, Target: pem.Path, Seed: true}
	return []File{seed, kubeconfig}, link, nil
}

// kubeletServer is the API that a kubelet talks to: a control plane's own, so that it
// comes up, and is upgraded, without the others; elsewhere the endpoint.
func (in Input) kubeletServer(host cluster.Host) (string, error) {
	if host.HasRole(cluster.RoleControlPlane) {
		return "https://" + APIAddress(in.Cluster, host), nil
	}
	return EndpointURL(in.Cluster)
}

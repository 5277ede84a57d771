package lab

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/slipway-k8s/slipway/cluster"
)

// roles is what a host of each role is in the cluster file. Spares are not in it.
var roles = map[Role]string{
	RoleControlPlane: "control-plane",
	RoleWorker:       "worker",
	RoleLoadBalancer: "load-balancer",
}

// clusterFile is a Cluster file as the lab writes it: only what fits it to these hosts.
// All else is left to the defaults.
type clusterFile struct {
	APIVersion string       `yaml:"apiVersion"`
	Kind       string       `yaml:"kind"`
	Name       string       `yaml:"name"`
	Endpoint   fileEndpoint `yaml:"endpoint,omitempty"`
	SSH        sshBlock     `yaml:"ssh"`
	Hosts      []fileHost   `yaml:"hosts"`
}

type sshBlock struct {
	User           string `yaml:"user"`
	IdentityFile   string `yaml:"identityFile"`
	KnownHostsFile string `yaml:"knownHostsFile"`
	ProxyCommand   string `yaml:"proxyCommand"`
}

type fileHost struct {
	Name      string   `yaml:"name"`
	Address   string   `yaml:"address,omitempty"`
	Addresses []string `yaml:"addresses,flow,omitempty"` // where there are two
	Roles     []string `yaml:"roles,flow"`
}

// render gives a Cluster file that fits the lab, for the slipway at program. Laid over what is
// there already (existing may be nil), it only adds the hosts that are missing: comments, order,
// the endpoint and the user's edits stay. The mode is a new file's endpoint's; empty: by the hosts.
func (l *Lab) render(r *record, program, mode string, existing []byte) ([]byte, error) {
	if existing != nil {
		return r.appendTo(existing)
	}
	mode = r.endpointMode(mode)
	endpoint, err := r.endpoint(mode)
	if err != nil {
		return nil, err
	}
	file, err := encode(clusterFile{
		APIVersion: cluster.APIVersion, Kind: cluster.Kind, Name: r.Name,
		Endpoint: endpoint,
		SSH: sshBlock{
			User: "root", IdentityFile: l.IdentityFile(), KnownHostsFile: l.KnownHostsFile(),
			ProxyCommand: l.ProxyCommand(program),
		},
		Hosts: r.fileHosts(mode),
	})
	if err != nil || !slices.ContainsFunc(r.Hosts, func(h *hostRecord) bool { return h.Kind == KindNamespace }) {
		return file, err
	}
	return append(file, sharedDisk...), nil
}

// sharedDisk lets Pods stay on hosts that share this machine's disk, whatever part of it others have taken. The
// kubelet's own limits are parts of the whole disk: of a large one, a hundred gigabytes.
const sharedDisk = `---
# The hosts share the disk of this machine: Pods stay while 1 GiB of it is free, and images while 2 % are.
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 98
`

// fileHosts are the hosts for a cluster file whose endpoint has a mode. In another than
// loadBalancers, load balancers have no role: there they are spares.
func (r *record) fileHosts(mode string) []fileHost {
	var hosts []fileHost
	for _, h := range r.Hosts {
		role, ok := roles[h.Role]
		if ok && (h.Role != RoleLoadBalancer || mode == modeLoadBalancers) {
			host := fileHost{Name: h.Name, Address: h.Address.String(), Roles: []string{role}}
			if h.Second.IsValid() {
				host.Address, host.Addresses = "", []string{h.Address.String(), h.Second.String()}
			}
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// ProxyCommand is what reaches a host of the lab from the machine, in OpenSSH's form.
func (l *Lab) ProxyCommand(program string) string {
	words := []string{quote(program), "lab", "dial"}
	if dir := strings.TrimSuffix(l.dir, "/"+l.name); dir != defaultDir {
		words = append(words, "--dir", quote(dir))
	}
	return strings.Join(append(words, "--name", l.name, "%h", "%p"), " ")
}

// quote makes one word of a path, for the shell and for the % of ProxyCommand.
func quote(path string) string {
	path = strings.ReplaceAll(path, "%", "%%")
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+%") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// appendTo adds to a Cluster file the hosts that it lacks.
func (r *record) appendTo(existing []byte) ([]byte, error) {
	documents, err := decode(existing)
	if err != nil {
		return nil, err
	}
	root, err := clusterDocument(documents, r.Name)
	if err != nil {
		return nil, err
	}
	list := field(root, "hosts")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, errors.New("it has no list of hosts")
	}
	known := map[string]bool{}
	for _, item := range list.Content {
		if n := field(item, "name"); n != nil {
			known[n.Value] = true
		}
	}
	changed := false
	for _, h := range r.fileHosts(modeOf(root)) {
		if known[h.Name] {
			continue
		}
		var item yaml.Node
		if err := item.Encode(h); err != nil {
			return nil, err
		}
		if len(list.Content) > 0 {
			item.Style = list.Content[len(list.Content)-1].Style // as the user writes hosts
		}
		list.Content = append(list.Content, &item)
		changed = true
	}
	if !changed {
		return existing, nil
	}
	return encode(documents...)
}

// field is the value of a key in a mapping, or nil.
func field(mapping *yaml.Node, key string) *yaml.Node {
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func decode(data []byte) ([]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var documents []any
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if err != nil && strings.Contains(err.Error(), "EOF") {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, &node)
	}
}

func encode(documents ...any) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	for _, document := range documents {
		if err := encoder.Encode(document); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), encoder.Close()
}

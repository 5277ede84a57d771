package build

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
)

// component is one piece of software that is compiled here. Its version stands in one
// place only: the go.mod of its folder below bundle/components.
type component struct {
	name     string
	folder   string   // below bundle/components
	module   string   // whose version is the component's
	version  string   // where no module has it
	license  string   // SPDX
	cgo      bool     // linked statically against the C libraries of the toolchain packages
	ldflags  []string // {version} {major} {minor} are replaced
	programs []program
	features []feature
	peer     bool // not in the bundle; for tests and benchmarks
}

// feature is one of the bill's, and the file of the component's folder that makes it so: an
// older checkout may be without.
type feature struct{ name, source string }

// can lists the features that what is compiled of these sources has.
func (c component) can(sources string) []string {
	var names []string
	for _, f := range c.features {
		if _, err := os.Stat(filepath.Join(sources, c.folder, f.source)); err == nil {
			names = append(names, f.name)
		}
	}
	return names
}

// program is one binary of a component.
type program struct {
	name        string
	packagePath string // what to compile; what begins with "." is a main of the folder's own
	tags        []string
}

const (
	kubernetesModule = "k8s.io/kubernetes"
	cniModule        = "github.com/containernetworking/plugins"
	containerdModule = "github.com/containerd/containerd/v2"
)

// kubernetesFlags set the version in both places where Kubernetes looks for it.
var kubernetesFlags = []string{
	"-X k8s.io/component-base/version.gitVersion={version}",
	"-X k8s.io/component-base/version.gitMajor={major}",
	"-X k8s.io/component-base/version.gitMinor={minor}",
	"-X k8s.io/component-base/version.gitCommit=",
	"-X k8s.io/client-go/pkg/version.gitVersion={version}",
	"-X k8s.io/client-go/pkg/version.gitMajor={major}",
	"-X k8s.io/client-go/pkg/version.gitMinor={minor}",
	"-X k8s.io/client-go/pkg/version.gitCommit=",
}

// addonTags are of all that is compiled in the folder addons, since what two programs share
// is compiled once only where the tags choose the same files. Without this one gRPC brings
// in HTML templates, which keep the linker from leaving out code.
var addonTags = []string{"grpcnotrace"}

// components is everything that is compiled, slowest first. Those of one folder are of one
// module, so that they have the same versions of what they share, and are compiled one after
// another, so that the second finds it compiled.
var components = []component{
	{
		name: "kubernetes", folder: "kube", module: kubernetesModule, license: "Apache-2.0",
		ldflags:  kubernetesFlags,
		programs: []program{{name: "kube", packagePath: "."}},
	},
	{
		name: "containerd", folder: "containerd", module: containerdModule, license: "Apache-2.0",
		ldflags: []string{"-X " + containerdModule + "/version.Version={version}"},
		programs: []program{
			{name: "containerd", packagePath: ".", tags: []string{"urfave_cli_no_docs"}},
			{name: "containerd-shim-runc-v2", packagePath: containerdModule + "/cmd/containerd-shim-runc-v2", tags: []string{"urfave_cli_no_docs", "no_grpc"}},
		},
	},
	{
		name: "coredns", folder: "addons", module: "github.com/coredns/coredns", license: "Apache-2.0",
		programs: []program{{name: "coredns", packagePath: "./coredns", tags: addonTags}},
	},
	{
		name: "flannel", folder: "addons", module: "github.com/flannel-io/flannel", license: "Apache-2.0",
		ldflags:  []string{"-X github.com/flannel-io/flannel/pkg/version.Version={version}"},
		programs: []program{{name: "flanneld", packagePath: "./flanneld", tags: addonTags}},
	},
	{
		name: "etcd", folder: "etcd", module: "go.etcd.io/etcd/server/v3", license: "Apache-2.0",
		ldflags:  []string{"-X go.etcd.io/etcd/api/v3/version.GitSHA={version}"},
		programs: []program{{name: "etcd", packagePath: "."}},
		features: []feature{{bundle.FeatureStartGuard, "start.go"}},
	},
	{
		name: "runc", folder: "runc", module: "github.com/opencontainers/runc", license: "Apache-2.0", cgo: true,
		programs: []program{{name: "runc", packagePath: "github.com/opencontainers/runc", tags: []string{"seccomp", "netgo", "osusergo", "urfave_cli_no_docs"}}},
	},
	{
		name: "cni-plugins", folder: "cni", module: cniModule, license: "Apache-2.0",
		ldflags: []string{"-X " + cniModule + "/pkg/utils/buildversion.BuildVersion={version}"},
		programs: []program{
			{name: "bandwidth", packagePath: cniModule + "/plugins/meta/bandwidth"},
			{name: "bridge", packagePath: cniModule + "/plugins/main/bridge"},
			{name: "firewall", packagePath: cniModule + "/plugins/meta/firewall"},
			{name: "host-local", packagePath: cniModule + "/plugins/ipam/host-local"},
			{name: "loopback", packagePath: cniModule + "/plugins/main/loopback"},
			{name: "portmap", packagePath: cniModule + "/plugins/meta/portmap"},
			{name: "tuning", packagePath: cniModule + "/plugins/meta/tuning"},
		},
	},
	{
		name: "cni-plugin-flannel", folder: "cni-flannel", module: cniModule, license: "Apache-2.0",
		ldflags:  []string{"-X " + cniModule + "/pkg/utils/buildversion.BuildVersion={version}"},
		programs: []program{{name: "flannel", packagePath: cniModule + "/plugins/meta/flannel"}},
	},
	{
		// The version is that of the image whose place it takes, and whose ways it has.
		name: "pause", folder: "pause", version: pauseVersion, license: "Apache-2.0",
		ldflags:  []string{"-X main.version={version}"},
		programs: []program{{name: "pause", packagePath: "."}},
	},
	{
		// Ours: flannel's image has no shell that could copy a file onto the node.
		name: "cni-install", folder: "cni-install", version: "1.1.0", license: "Apache-2.0",
		programs: []program{{name: "cni-install", packagePath: "."}},
	},
	{
		// Ours: flannel's plugin fails where flanneld is not up yet; this one waits for it.
		name: "cni-await", folder: "cni-await", version: "1.0.0", license: "Apache-2.0",
		programs: []program{{name: "await-subnet", packagePath: "."}},
	},
	{
		// Ours: the load balancer's root directory has neither shell nor tools.
		name: "endpoint", folder: "endpoint", version: "1.0.0", license: "Apache-2.0",
		programs: []program{{name: "endpoint", packagePath: "."}},
	},
	{
		name: "kubeadm", folder: "kube", module: kubernetesModule, license: "Apache-2.0", peer: true,
		ldflags:  kubernetesFlags,
		programs: []program{{name: "kubeadm", packagePath: kubernetesModule + "/cmd/kubeadm"}},
	},
}

// findComponent finds a component by its name, or by that of one of its programs.
func findComponent(name string) (component, error) {
	var names []string
	for _, c := range components {
		if c.name == name || slices.ContainsFunc(c.programs, func(p program) bool { return p.name == name }) {
			return c, nil
		}
		names = append(names, c.name)
	}
	return component{}, fmt.Errorf("no component is called %q (there are %s)", name, strings.Join(names, ", "))
}

// resolve gives the component with its version, as the set pins it.
func (c component) resolve(set pinnedSet) (component, error) {
	if c.module == "" {
		return c, nil
	}
	version, err := set.version(c.folder, c.module)
	if err != nil {
		return c, fmt.Errorf("find the version of %s: %w", c.name, err)
	}
	c.version = version
	return c, nil
}

// linkFlags are the ldflags with the version put in.
func (c component) linkFlags() string {
	major, minor := majorMinor(c.version)
	replace := strings.NewReplacer("{version}", c.version, "{major}", major, "{minor}", minor)
	flags := []string{"-s", "-w"}
	for _, flag := range c.ldflags {
		flags = append(flags, replace.Replace(flag))
	}
	if c.cgo {
		flags = append(flags, "-linkmode external", "-extldflags=-static")
	}
	return strings.Join(flags, " ")
}

func majorMinor(version string) (major, minor string) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return "", ""
	}
	return parts[0], parts[1]
}

// origin is where the component's source comes from.
func (c component) origin() string {
	if c.module == "" {
		return "github.com/slipway-k8s/slipway/bundle/components/" + c.folder
	}
	return c.module
}

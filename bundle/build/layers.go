package build

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
)

// The layers of a bundle.
const (
	layerBase         = "base"
	layerKube         = "kube"
	layerEtcd         = "etcd"
	layerCoreDNS      = "coredns"
	layerPause        = "pause"
	layerFlannel      = "flannel"
	layerFlannelCNI   = "flannel-cni"
	layerCNIInstall   = "cni-install"
	layerCNIAwait     = "cni-await"
	layerEndpoint     = "endpoint"
	layerContainerd   = "containerd"
	layerRunc         = "runc"
	layerCNI          = "cni"
	layerNetTools     = "net-tools"
	layerLoadBalancer = "load-balancer"
	layerAgent        = "agent"
	layerLicences     = "licences"
)

// componentSlipway is the bundle's own component: the agent, and the few files in the images
// that are written here.
const componentSlipway = "slipway"

// agentProgram is what Slipway runs on the hosts.
const agentProgram = "slipway-agent"

// recipe is a layer made of one component's programs: those that are named, or all.
type recipe struct {
	layer     string
	component string
	folder    string
	programs  []string
	links     map[string]string // beside the programs: name → target
	xattrs    map[string]string // of every program
}

// netBindService is the file capability CAP_NET_BIND_SERVICE, permitted and effective,
// in the kernel's form (struct vfs_cap_data, revision 2): the DNS port is below 1024 and
// CoreDNS does not run as root.
const netBindService = "\x01\x00\x00\x02" + "\x00\x04\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// recipes are the layers that are made of what is compiled.
var recipes = []recipe{
	{layer: layerKube, component: "kubernetes", folder: "usr/local/bin", links: linksTo("kube",
		"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")},
	{layer: layerEtcd, component: "etcd", folder: "usr/local/bin", links: linksTo("etcd", "etcdctl", "etcdutl")},
	{layer: layerContainerd, component: "containerd", links: linksTo("containerd", "ctr")},
	{layer: layerRunc, component: "runc"},
	{layer: layerCNI, component: "cni-plugins"},
	{layer: layerFlannelCNI, component: "cni-plugin-flannel"},
	{layer: layerCNIInstall, component: "cni-install", folder: "opt/bin"},
	{layer: layerCNIAwait, component: "cni-await"},
	{layer: layerEndpoint, component: "endpoint", folder: "usr/bin"},
	{layer: layerFlannel, component: "flannel", folder: "opt/bin"},
	{layer: layerCoreDNS, component: "coredns", xattrs: map[string]string{"security.capability": netBindService}},
	{layer: layerPause, component: "pause"},
}

func linksTo(target string, names ...string) map[string]string {
	links := map[string]string{}
	for _, name := range names {
		links[name] = target
	}
	return links
}

// layersOf packs the layers that are made of a component.
func (b *builder) layersOf(ctx context.Context, made compiled, component string) ([]layer, error) {
	var layers []layer
	for _, r := range recipes {
		if r.component != component {
			continue
		}
		packed, err := b.pack(ctx, r.layer, r.files(made))
		if err != nil {
			return nil, err
		}
		layers = append(layers, packed)
	}
	return layers, nil
}

func (r recipe) files(made compiled) []layerFile {
	var files []layerFile
	for _, program := range made.Programs {
		if len(r.programs) > 0 && !slices.Contains(r.programs, program.Name) {
			continue
		}
		files = append(files, layerFile{
			Path: path.Join(r.folder, program.Name), Mode: 0o755, Digest: program.Digest, Size: program.Size,
			Xattrs: r.xattrs, Component: r.component, Source: filepath.Join(made.directory, "bin", program.Name),
		})
	}
	for _, name := range sortedKeys(r.links) {
		files = append(files, link(path.Join(r.folder, name), r.links[name], r.component))
	}
	return files
}

// baseFiles are what a program may look for in an image that has nothing else.
func baseFiles() []layerFile {
	return []layerFile{
		inline("etc/group", "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n"),
		inline("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
		inline("etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\n"+
			"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"+
			"nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"),
		// nft tells protocols by their names only where it finds those here. kube-proxy that starts anew holds
		// what nft lists against its own names: without them it would empty the map of all Services.
		inline("etc/protocols", "icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n"),
		{Path: "root", Mode: 0o700, Directory: true},
		{Path: "run", Mode: 0o755, Directory: true},
		{Path: "tmp", Mode: 0o1777, Directory: true},
		{Path: "var/tmp", Mode: 0o1777, Directory: true},
		link("var/run", "/run", componentSlipway),
	}
}

// rootLayers packs the Debian root's two layers.
func (b *builder) rootLayers(ctx context.Context, root debRoot) ([]layer, error) {
	var layers []layer
	for _, part := range rootParts {
		var files []layerFile
		for _, f := range root.Parts[part.layer] {
			files = append(files, layerFile{
				Path: f.Path, Mode: f.Mode, Target: f.Target, Digest: f.Digest, Size: f.Size, Component: f.Owner,
				Source: filepath.Join(root.directory, "files", filepath.FromSlash(f.Path)),
			})
		}
		if part.layer == layerNetTools {
			files = append(files, mergedFolders()...)
		}
		packed, err := b.pack(ctx, part.layer, files)
		if err != nil {
			return nil, err
		}
		layers = append(layers, packed)
	}
	return layers, nil
}

// mergedFolders lead the places where programs and the loader are looked for to /usr.
func mergedFolders() []layerFile {
	var links []layerFile
	for _, name := range []string{"bin", "lib", "lib64", "sbin"} {
		links = append(links, link(name, "usr/"+name, componentSlipway))
	}
	return links
}

// agentLayer packs the agent.
func (b *builder) agentLayer(ctx context.Context, made compiled) (layer, error) {
	program, source, err := made.program(agentProgram)
	if err != nil {
		return layer{}, fmt.Errorf("pack layer %s: %w", layerAgent, err)
	}
	return b.pack(ctx, layerAgent, []layerFile{{
		Path: "usr/local/bin/" + agentProgram, Mode: 0o755, Digest: program.Digest, Size: program.Size, Component: componentSlipway, Source: source,
	}})
}

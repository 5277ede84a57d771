package build

import (
	"path"
	"slices"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
)

// loadBalancerRoot is the root directory that haproxy and keepalived run in.
const loadBalancerRoot = "/opt/slipway/load-balancer"

// placed is one file of a set: the entry of a layer that it is, or the link.
type placed struct {
	path      string // on the host
	layer     string
	entry     string // in the layer; empty for a link
	target    string // of a link
	component string // of a link
}

// nodeFiles are what every node has beside what layers bring under their own paths.
var nodeFiles = []placed{
	{path: "/opt/slipway/bin/kube", layer: layerKube, entry: "usr/local/bin/kube"},
	{path: "/usr/bin/kubectl", target: "/opt/slipway/bin/kube", component: "kubernetes"},
	{path: "/usr/bin/kubelet", target: "/opt/slipway/bin/kube", component: "kubernetes"},
	{path: "/usr/local/bin/ctr", target: "/opt/slipway/bin/ctr", component: "containerd"},
	{path: "/opt/cni/bin/flannel", layer: layerFlannelCNI, entry: "flannel"},
	{path: "/opt/cni/bin/await-subnet", layer: layerCNIAwait, entry: "await-subnet"},
}

// controlPlaneFiles are etcd's two tools, and what hands its leadership over: the one binary,
// under each of the names.
var controlPlaneFiles = []placed{
	{path: "/opt/slipway/bin/etcd", layer: layerEtcd, entry: "usr/local/bin/etcd"},
	{path: "/opt/slipway/bin/etcdctl", target: "etcd", component: "etcd"},
	{path: "/opt/slipway/bin/etcdutl", target: "etcd", component: "etcd"},
	{path: "/opt/slipway/bin/etcd-handover", target: "etcd", component: "etcd"},
	{path: "/usr/local/bin/etcdctl", target: "/opt/slipway/bin/etcdctl", component: "etcd"},
	{path: "/usr/local/bin/etcdutl", target: "/opt/slipway/bin/etcdutl", component: "etcd"},
}

// makeSets makes the file sets out of the packed layers.
func makeSets(layers map[string]layer, root debRoot) []bundle.FileSet {
	node := append([]placed{}, nodeFiles...)
	for _, name := range []string{layerContainerd, layerRunc, layerCNI} {
		node = append(node, wholeLayer(layers[name], "/")...)
	}
	sets := []bundle.FileSet{
		makeSet(bundle.SetNode, layers, node),
		makeSet(bundle.SetControlPlane, layers, controlPlaneFiles),
		makeSet(bundle.SetLoadBalancer, layers, loadBalancerFiles(layers, root)),
	}
	if own, found := layers[layerAgent]; found {
		sets = append(sets, makeSet(bundle.SetAgent, layers, wholeLayer(own, "/")))
	}
	return sets
}

// wholeLayer places every file of a layer below a folder.
func wholeLayer(l layer, below string) []placed {
	var files []placed
	for _, file := range l.files {
		if !file.Directory {
			files = append(files, placeFile(l.name, file, below))
		}
	}
	return files
}

func placeFile(layerName string, file layerFile, below string) placed {
	p := placed{path: path.Join(below, file.Path), layer: layerName, entry: file.Path}
	if file.Target != "" {
		p = placed{path: p.path, target: file.Target, component: file.Component}
	}
	return p
}

// loadBalancerFiles are the load balancer's own layer, what it needs of the net tools'
// and the few files of the base that a root directory wants.
func loadBalancerFiles(layers map[string]layer, root debRoot) []placed {
	files := slices.Concat(
		wholeLayer(layers[layerLoadBalancer], loadBalancerRoot), wholeLayer(layers[layerEndpoint], loadBalancerRoot))
	for _, name := range root.Shared {
		if file, found := layers[layerNetTools].file(name); found {
			files = append(files, placeFile(layerNetTools, file, loadBalancerRoot))
		}
	}
	for _, folder := range mergedFolders() {
		files = append(files, placeFile(layerNetTools, folder, loadBalancerRoot))
	}
	for _, file := range layers[layerBase].files {
		if strings.HasPrefix(file.Path, "etc/") && !file.Directory {
			files = append(files, placeFile(layerBase, file, loadBalancerRoot))
		}
	}
	return files
}

func makeSet(name string, layers map[string]layer, files []placed) bundle.FileSet {
	set := bundle.FileSet{Name: name}
	used := map[string]bool{}
	for _, p := range files {
		if p.target != "" {
			set.Files = append(set.Files, bundle.HostFile{Path: p.path, Component: p.component, Target: p.target})
			continue
		}
		from := layers[p.layer]
		file, found := from.file(p.entry)
		if !found {
			continue
		}
		set.Files = append(set.Files, bundle.HostFile{
			Path: p.path, Component: file.Component, Layer: from.blob.Digest, Entry: p.entry,
			Digest: file.Digest, Size: file.Size, Mode: file.Mode,
		})
		if !used[p.layer] {
			used[p.layer] = true
			set.Layers = append(set.Layers, from.blob)
		}
	}
	return sortedSet(set)
}

// sortedSet puts the files in the order of their paths, for people and for diffs.
func sortedSet(set bundle.FileSet) bundle.FileSet {
	slices.SortFunc(set.Files, func(a, b bundle.HostFile) int { return strings.Compare(a.Path, b.Path) })
	return set
}

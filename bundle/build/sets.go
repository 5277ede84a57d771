package build

import (
	"path"
	"strings"

	"github.com/slipway-k8s/slipway/bundle"
)

// part is what a set has of one component: a folder of its own on the host, by version and content.
type part struct {
	component string
	files     []placed // with their paths in the folder
}

// placed is one file: the entry of a layer, or a link to a path of the host.
type placed struct {
	path      string
	layer     string
	entry     string // in the layer; empty for a link
	target    string // of a link
	component string // of a link
}

// Where what is in force lies.
const (
	binFolder = "/opt/slipway/bin"
	cniFolder = "/opt/cni/bin" // where any network add-on looks for plugins, and puts its own
)

// nodeLinks lead to what every node runs.
var nodeLinks = []bundle.Lead{
	{Path: binFolder + "/kube", Component: "kubernetes", File: "kube"},
	{Path: "/usr/bin/kubectl", File: binFolder + "/kube"},
	{Path: "/usr/bin/kubelet", File: binFolder + "/kube"},
	{Path: binFolder + "/containerd", Component: "containerd", File: "containerd"},
	{Path: binFolder + "/containerd-shim-runc-v2", Component: "containerd", File: "containerd-shim-runc-v2"},
	{Path: binFolder + "/ctr", Component: "containerd", File: "ctr"},
	{Path: "/usr/local/bin/ctr", File: binFolder + "/ctr"},
	{Path: binFolder + "/runc", Component: "runc", File: "runc"},
}

// controlPlaneLinks lead to etcd's two tools, and what hands its leadership over: the one binary,
// under each of the names.
var controlPlaneLinks = []bundle.Lead{
	{Path: binFolder + "/etcd", Component: "etcd", File: "etcd"},
	{Path: binFolder + "/etcdctl", Component: "etcd", File: "etcdctl"},
	{Path: binFolder + "/etcdutl", Component: "etcd", File: "etcdutl"},
	{Path: binFolder + "/etcd-handover", Component: "etcd", File: "etcd-handover"},
	{Path: "/usr/local/bin/etcdctl", File: binFolder + "/etcdctl"},
	{Path: "/usr/local/bin/etcdutl", File: binFolder + "/etcdutl"},
}

// nodeParts are what every node has of each component.
func nodeParts(layers map[string]layer) []part {
	return []part{
		{"kubernetes", []placed{{path: "kube", layer: layerKube, entry: "usr/local/bin/kube"}}},
		{"containerd", wholeLayer(layers[layerContainerd])},
		{"runc", wholeLayer(layers[layerRunc])},
		{"cni-plugins", wholeLayer(layers[layerCNI])},
		{"cni-plugin-flannel", []placed{{path: "flannel", layer: layerFlannelCNI, entry: "flannel"}}},
		{"cni-await", []placed{{path: "await-subnet", layer: layerCNIAwait, entry: "await-subnet"}}},
	}
}

// etcdPart is what a control plane has of etcd.
func etcdPart() part {
	files := []placed{{path: "etcd", layer: layerEtcd, entry: "usr/local/bin/etcd"}}
	for _, name := range []string{"etcdctl", "etcdutl", "etcd-handover"} {
		files = append(files, placed{path: name, target: "etcd", component: "etcd"})
	}
	return part{"etcd", files}
}

// makeSets makes the file sets out of the packed layers, of the components' versions.
func makeSets(layers map[string]layer, root debRoot, versions map[string]string) []bundle.FileSet {
	node := nodeParts(layers)
	sets := []bundle.FileSet{
		makeSet(bundle.SetNode, layers, versions, node, append(pluginCopies(node), nodeLinks...)),
		makeSet(bundle.SetControlPlane, layers, versions, []part{etcdPart()}, controlPlaneLinks),
		makeSet(bundle.SetLoadBalancer, layers, nil, []part{{layerLoadBalancer, loadBalancerFiles(layers, root)}}, nil),
	}
	sets[2].Root = bundle.Folders(sets[2:])[0] // its programs have no other root directory than all of it
	if own, found := layers[layerAgent]; found {
		sets = append(sets, makeSet(bundle.SetAgent, layers, versions, []part{{componentSlipway, wholeLayer(own)}}, nil))
	}
	return sets
}

// pluginCopies put the network's plugins where containerd and others look for them. They are no
// links: an add-on of the user's may bring the same plugins, and writes to what is there.
func pluginCopies(node []part) []bundle.Lead {
	var copies []bundle.Lead
	for _, p := range node {
		if strings.HasPrefix(p.component, "cni-") {
			for _, file := range p.files {
				copies = append(copies, bundle.Lead{Path: path.Join(cniFolder, file.path), Component: p.component, File: file.path, Copy: true})
			}
		}
	}
	return copies
}

// wholeLayer places every file of a layer in a folder, without the folders that it has in the layer.
func wholeLayer(l layer) []placed {
	var files []placed
	for _, file := range l.files {
		if !file.Directory {
			files = append(files, placeFile(l.name, file, path.Base(file.Path)))
		}
	}
	return files
}

func placeFile(layerName string, file layerFile, at string) placed {
	if file.Target != "" {
		return placed{path: at, target: file.Target, component: file.Component}
	}
	return placed{path: at, layer: layerName, entry: file.Path}
}

// loadBalancerFiles are the load balancer's own layer, what it needs of the net tools'
// and the few files of the base that a root directory wants.
func loadBalancerFiles(layers map[string]layer, root debRoot) []placed {
	var files []placed
	for _, name := range []string{layerLoadBalancer, layerEndpoint} {
		for _, file := range layers[name].files {
			if !file.Directory {
				files = append(files, placeFile(name, file, file.Path))
			}
		}
	}
	for _, name := range root.Shared {
		if file, found := layers[layerNetTools].file(name); found {
			files = append(files, placeFile(layerNetTools, file, file.Path))
		}
	}
	for _, folder := range mergedFolders() {
		files = append(files, placeFile(layerNetTools, folder, folder.Path))
	}
	for _, file := range layers[layerBase].files {
		if strings.HasPrefix(file.Path, "etc/") && !file.Directory {
			files = append(files, placeFile(layerBase, file, file.Path))
		}
	}
	return files
}

func makeSet(name string, layers map[string]layer, versions map[string]string, parts []part, leads []bundle.Lead) bundle.FileSet {
	var made []bundle.Part
	for _, p := range parts {
		made = append(made, bundle.Part{Component: p.component, Version: versions[p.component], Files: p.hostFiles(layers)})
	}
	set := bundle.NewSet(name, made, leads)
	set.Layers = layersIn(set.Files, layers)
	return set
}

// hostFiles are a part's files, with their paths in its folder.
func (p part) hostFiles(layers map[string]layer) []bundle.HostFile {
	var files []bundle.HostFile
	for _, placed := range p.files {
		if placed.target != "" {
			files = append(files, bundle.HostFile{Path: placed.path, Component: placed.component, Target: placed.target})
			continue
		}
		from := layers[placed.layer]
		if file, found := from.file(placed.entry); found {
			files = append(files, bundle.HostFile{
				Path: placed.path, Component: file.Component, Layer: from.blob.Digest, Entry: placed.entry,
				Digest: file.Digest, Size: file.Size, Mode: file.Mode,
			})
		}
	}
	return files
}

// layersIn are the layers that the files lie in, in the files' order.
func layersIn(files []bundle.HostFile, layers map[string]layer) []bundle.Blob {
	blobs := map[string]bundle.Blob{}
	for _, l := range layers {
		blobs[l.blob.Digest] = l.blob
	}
	var used []bundle.Blob
	for _, file := range files {
		if blob, found := blobs[file.Layer]; found && file.Layer != "" {
			delete(blobs, file.Layer)
			used = append(used, blob)
		}
	}
	return used
}

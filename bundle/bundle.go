// Package bundle says what a bundle holds: the bill of materials that maps every
// component to its version, its content and the place on a host where it goes.
//
// It is data and pure functions only. bundle/archive reads, verifies and writes the
// file; bundle/build makes one.
package bundle

import (
	"fmt"
	"slices"

	"github.com/slipway-k8s/slipway/cluster"
)

// MediaTypeBill is the media type of the bill of materials: the config blob of the
// bundle's own manifest in the OCI image layout.
const MediaTypeBill = "application/vnd.slipway.bill.v1+json"

// APIVersion is the version of the bill's own format.
const APIVersion = "slipway.dev/bundle/v1alpha1"

// Bill is the bill of materials of one bundle: one platform, one Kubernetes version.
type Bill struct {
	APIVersion        string      `json:"apiVersion"`
	SlipwayVersion    string      `json:"slipwayVersion"`
	KubernetesVersion string      `json:"kubernetesVersion"` // with a leading v
	Platform          Platform    `json:"platform"`
	Source            string      `json:"source"` // how it was made: source, or release
	Components        []Component `json:"components"`
	Images            []Image     `json:"images"`
	Sets              []FileSet   `json:"sets"`
	// Documents are for people and for audits; nothing of them reaches a host.
	Documents []Document `json:"documents,omitempty"`
}

// Document names.
const (
	DocumentSBOM     = "sbom"     // a CycloneDX JSON of every component and the modules inside it
	DocumentLicences = "licences" // a layer of the licence texts, one folder per component
)

// Document is one thing in the bundle to be read rather than run.
type Document struct {
	Name string `json:"name"`
	Blob
}

// Platform is the system and architecture that a bundle's binaries run on, in Go's words.
type Platform struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Runs says whether the bundle's binaries run on that platform.
func (b *Bill) Runs(host Platform) error {
	if b.Platform != host {
		return fmt.Errorf("the bundle is for %s, the host is %s", b.Platform, host)
	}
	return nil
}

// Serves says whether the bundle holds that version of Kubernetes, given with a leading v.
func (b *Bill) Serves(kubernetesVersion string) error {
	if b.KubernetesVersion != kubernetesVersion {
		return fmt.Errorf("the bundle holds Kubernetes %s, wanted is %s", b.KubernetesVersion, kubernetesVersion)
	}
	return nil
}

// Component is one piece of software in the bundle and where it came from.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Origin names the source: a Go module path, or debian:<package>.
	Origin string `json:"origin"`
	// Sum is the origin's checksum: go.sum's h1 for a module, sha256 for a package.
	Sum     string `json:"sum,omitempty"`
	License string `json:"license,omitempty"` // SPDX expression, where known
	// Size is the component's unpacked size in bytes.
	Size int64 `json:"size"`
	// Features are what it can do that bundles made before could not.
	Features []string `json:"features,omitempty"`
}

// FeatureStartGuard is the feature of an etcd that does not start where its member has begun
// before and its data are gone.
const FeatureStartGuard = "start-guard"

// Can tells whether a component of the bundle has a feature.
func (b *Bill) Can(component, feature string) bool {
	found, there := b.Component(component)
	return there && slices.Contains(found.Features, feature)
}

// Image is one container image. Its full reference is made when a cluster file is
// known: imageRepository + "/" + Name + ":" + Tag.
type Image struct {
	Name string `json:"name"` // as kubeadm names it below imageRepository: kube-apiserver, coredns/coredns, pause
	Tag  string `json:"tag"`  // as kubeadm of this Kubernetes version computes it
	// Repository, where set, replaces imageRepository: images that kubeadm does not know, such as flannel's.
	Repository string `json:"repository,omitempty"`
	Manifest   Blob   `json:"manifest"`
	Config     Blob   `json:"config"`
	Layers     []Blob `json:"layers"`
}

// Blob is one content-addressed piece of the bundle.
type Blob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"` // sha256:<hex> of the bytes as stored
	Size      int64  `json:"size"`   // bytes as stored
	// DiffID is the digest of a layer's bytes before compression.
	DiffID string `json:"diffID,omitempty"`
}

// Set names. A host gets the agent when it is connected to, and else the sets that its roles
// ask for.
const (
	SetAgent        = "agent"         // slipway-agent
	SetNode         = "node"          // containerd, shim, ctr, runc, CNI plugins, kubelet, kubectl
	SetControlPlane = "control-plane" // etcdctl, etcdutl
	SetLoadBalancer = "load-balancer" // the root directory of haproxy and keepalived
)

// SetNames are the sets that a host gets by its roles, beside the agent's.
func SetNames(c *cluster.Cluster, host cluster.Host) []string {
	var names []string
	if host.IsNode() {
		names = append(names, SetNode)
	}
	if host.HasRole(cluster.RoleControlPlane) {
		names = append(names, SetControlPlane)
	}
	if c.Balances(host) {
		names = append(names, SetLoadBalancer)
	}
	return names
}

// FileSet is what is unpacked onto a host's file system from one or more layers.
type FileSet struct {
	Name string `json:"name"`
	// Root is the folder of the files that is a program's root directory: the load balancer's.
	Root   string     `json:"root,omitempty"`
	Layers []Blob     `json:"layers"`
	Files  []HostFile `json:"files"`
}

// HostFile is one file (or symbolic link) of a set and where it goes on the host: out of a layer
// into its version's folder, or as what is in force, which leads there.
type HostFile struct {
	Path      string `json:"path"`      // absolute, on the host
	Component string `json:"component"` // its Component's name
	Layer     string `json:"layer,omitempty"`
	Entry     string `json:"entry,omitempty"`  // its path in the layer's tar
	Digest    string `json:"digest,omitempty"` // sha256:<hex> of the file
	Size      int64  `json:"size,omitempty"`
	Mode      uint32 `json:"mode,omitempty"`
	Target    string `json:"target,omitempty"` // for a symbolic link: what it points to
	From      string `json:"from,omitempty"`   // for a copy: the path, on the host, of what it is a copy of
}

// DefaultImageRepository is the imageRepository of a cluster file that names none.
const DefaultImageRepository = "registry.k8s.io"

// Reference is the image's full name under the given repository, as kubeadm writes it:
// the default repository keeps CoreDNS in a folder of its own, all others do not.
func (i Image) Reference(imageRepository string) string {
	name := i.Name
	if i.Repository != "" {
		imageRepository = i.Repository
	} else if imageRepository != DefaultImageRepository && name == "coredns/coredns" {
		name = "coredns"
	}
	return imageRepository + "/" + name + ":" + i.Tag
}

// Image finds an image by name.
func (b *Bill) Image(name string) (Image, bool) {
	for _, image := range b.Images {
		if image.Name == name {
			return image, true
		}
	}
	return Image{}, false
}

// Set finds a file set by name.
func (b *Bill) Set(name string) (FileSet, bool) {
	for _, set := range b.Sets {
		if set.Name == name {
			return set, true
		}
	}
	return FileSet{}, false
}

// Component finds a component by name.
func (b *Bill) Component(name string) (Component, bool) {
	for _, component := range b.Components {
		if component.Name == name {
			return component, true
		}
	}
	return Component{}, false
}

// Blobs lists every distinct blob of the image, manifest first.
func (i Image) Blobs() []Blob {
	return append([]Blob{i.Manifest, i.Config}, i.Layers...)
}

// Blobs lists every distinct blob that the bill names, in the bill's order. Layers that
// images and sets share are there once.
func (b *Bill) Blobs() []Blob {
	var blobs []Blob
	seen := map[string]bool{}
	add := func(more ...Blob) {
		for _, blob := range more {
			if !seen[blob.Digest] {
				seen[blob.Digest] = true
				blobs = append(blobs, blob)
			}
		}
	}
	for _, image := range b.Images {
		add(image.Blobs()...)
	}
	for _, set := range b.Sets {
		add(set.Layers...)
	}
	for _, document := range b.Documents {
		add(document.Blob)
	}
	return blobs
}

// Owners names what a blob is part of, for messages: images, sets and documents.
func (b *Bill) Owners(digest string) []string {
	var owners []string
	for _, image := range b.Images {
		if holds(image.Blobs(), digest) {
			owners = append(owners, "image "+image.Name)
		}
	}
	for _, set := range b.Sets {
		if holds(set.Layers, digest) {
			owners = append(owners, "set "+set.Name)
		}
	}
	for _, document := range b.Documents {
		if document.Digest == digest {
			owners = append(owners, "document "+document.Name)
		}
	}
	return owners
}

// ComponentsOf names the components whose files lie in the layer of that digest.
func (b *Bill) ComponentsOf(layer string) []string {
	var names []string
	seen := map[string]bool{}
	for _, set := range b.Sets {
		for _, file := range set.Files {
			if file.Layer == layer && !seen[file.Component] {
				seen[file.Component] = true
				names = append(names, file.Component)
			}
		}
	}
	return names
}

func holds(blobs []Blob, digest string) bool {
	for _, blob := range blobs {
		if blob.Digest == digest {
			return true
		}
	}
	return false
}

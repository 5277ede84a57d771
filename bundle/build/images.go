package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
)

// pauseVersion is the tag of the pause image that kubeadm of the bundle's Kubernetes
// computes.
const pauseVersion = "3.10.2"

// flannelRepository is where flannel's image is published: kubeadm knows no such image,
// so imageRepository does not move it.
const flannelRepository = "ghcr.io/flannel-io"

// searchPath is where an image's programs look for others.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// imageRecipe is an image: its names and tag, all in this one table, and its layers.
type imageRecipe struct {
	name       string
	repository string
	component  string // whose version is the tag
	tag        func(version string) string
	layers     []string // those that other images share come first, to be unpacked once
	entrypoint string
	user       string
}

// imageRecipes names the images as kubeadm does. The tags of etcd and CoreDNS are those
// of what is inside; where kubeadm would compute another (etcd 3.6.8-0 for Kubernetes
// 1.36), kubeadm-config carries the tag.
var imageRecipes = []imageRecipe{
	{name: "kube-apiserver", component: "kubernetes", layers: []string{layerBase, layerKube}, entrypoint: "/usr/local/bin/kube-apiserver"},
	{name: "kube-controller-manager", component: "kubernetes", layers: []string{layerBase, layerKube}, entrypoint: "/usr/local/bin/kube-controller-manager"},
	{name: "kube-scheduler", component: "kubernetes", layers: []string{layerBase, layerKube}, entrypoint: "/usr/local/bin/kube-scheduler"},
	{name: "kube-proxy", component: "kubernetes", layers: []string{layerBase, layerKube, layerNetTools}, entrypoint: "/usr/local/bin/kube-proxy"},
	{name: "etcd", component: "etcd", tag: etcdTag, layers: []string{layerBase, layerEtcd}, entrypoint: "/usr/local/bin/etcd"},
	{name: "coredns/coredns", component: "coredns", layers: []string{layerBase, layerCoreDNS}, entrypoint: "/coredns", user: "65532:65532"},
	{name: "pause", component: "pause", layers: []string{layerPause}, entrypoint: "/pause", user: "65535:65535"},
	{name: "flannel", repository: flannelRepository, component: "flannel", layers: []string{layerBase, layerNetTools, layerFlannelCNI, layerCNIAwait, layerCNIInstall, layerFlannel}, entrypoint: "/opt/bin/flanneld"},
}

// etcdTag is a version without v and with a revision of the image.
func etcdTag(version string) string { return strings.TrimPrefix(version, "v") + "-0" }

// madeImage is an image with the two small blobs that are made for it.
type madeImage struct {
	image    bundle.Image
	config   []byte
	manifest []byte
}

// makeImage makes the config and the manifest: nothing in them says when or where.
func (r imageRecipe) makeImage(platform bundle.Platform, version string, layers map[string]layer) (madeImage, error) {
	made := madeImage{image: bundle.Image{Name: r.name, Repository: r.repository, Tag: version}}
	if r.tag != nil {
		made.image.Tag = r.tag(version)
	}
	config := ocispec.Image{
		Platform: ocispec.Platform{OS: platform.OS, Architecture: platform.Arch},
		Config: ocispec.ImageConfig{
			User: r.user, Env: []string{searchPath}, Entrypoint: []string{r.entrypoint}, WorkingDir: "/",
			Labels: map[string]string{ocispec.AnnotationTitle: r.name, ocispec.AnnotationVersion: version},
		},
		RootFS: ocispec.RootFS{Type: "layers"},
	}
	manifest := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest}
	for _, name := range r.layers {
		layer, found := layers[name]
		if !found {
			return made, fmt.Errorf("make image %s: no layer %s was packed", r.name, name)
		}
		made.image.Layers = append(made.image.Layers, layer.blob)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.Digest(layer.blob.DiffID))
		config.History = append(config.History, ocispec.History{CreatedBy: "slipway bundle build: layer " + name})
		manifest.Layers = append(manifest.Layers, descriptor(layer.blob))
	}
	var err error
	if made.config, made.image.Config, err = encodeBlob(config, ocispec.MediaTypeImageConfig); err != nil {
		return made, fmt.Errorf("make image %s: %w", r.name, err)
	}
	manifest.Config = descriptor(made.image.Config)
	if made.manifest, made.image.Manifest, err = encodeBlob(manifest, ocispec.MediaTypeImageManifest); err != nil {
		return made, fmt.Errorf("make image %s: %w", r.name, err)
	}
	return made, nil
}

func descriptor(blob bundle.Blob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: blob.MediaType, Digest: digest.Digest(blob.Digest), Size: blob.Size}
}

// encodeBlob makes a blob of a value as JSON.
func encodeBlob(value any, mediaType string) ([]byte, bundle.Blob, error) {
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, bundle.Blob{}, err
	}
	sum := sha256.Sum256(content.Bytes())
	return content.Bytes(), bundle.Blob{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(content.Len())}, nil
}

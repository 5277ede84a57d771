package hosts

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

var _ = register(LoadImage{}, NameImage{}, UnloadImage{})

// LoadImage puts an image into containerd's store, unpacks it and pins it.
type LoadImage struct {
	Reference string      `json:"reference"`
	Manifest  ImageBlob   `json:"manifest"`
	Blobs     []ImageBlob `json:"blobs"` // config and layers
	// Bundled is an image of the bundle's, which may go when the bundle no longer has it. One of the
	// user's own stays.
	Bundled bool `json:"bundled,omitempty"`
}

// ImageBlob is one blob of an image.
type ImageBlob struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func (a LoadImage) describe() Description {
	size, refs := a.Manifest.Size, []string{a.Manifest.Digest}
	for _, blob := range a.Blobs {
		size += blob.Size
		refs = append(refs, blob.Digest)
	}
	return Description{Kind: "load-image", Deed: "load image " + a.Reference, Detail: " (" + Size(size) + ")", Refs: refs}
}

// NameImage gives a name to the image with a digest, which the host has by its DigestName and from then on
// by that name alone. What had the name until then the host has by its own DigestName, to be named again.
type NameImage struct {
	Name   string `json:"name"`   // as LoadImage's Reference
	Digest string `json:"digest"` // of its manifest
}

func (a NameImage) describe() Description {
	return Description{Kind: "name-image", Deed: "put image " + a.Name + " in force"}
}

// DigestName is the name that an image lies by beside another one that has its name: the name without
// its tag, and the digest.
func DigestName(name, sum string) (string, error) {
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("%q is not an image's name: %w", name, err)
	}
	exact, err := reference.WithDigest(reference.TrimNamed(named), digest.Digest(sum))
	if err != nil {
		return "", fmt.Errorf("%q is not the digest of an image: %w", sum, err)
	}
	return exact.String(), nil
}

// UnloadImage removes an image that the record has from a bundle, with this digest, while it is still
// that. One that a container uses is only no longer pinned: the kubelet's image garbage collection
// takes it when no container does. Either way it is off the record.
type UnloadImage struct {
	Name   string `json:"name"`   // as LoadImage's Reference
	Digest string `json:"digest"` // of its manifest
}

// Unpinned is what an UnloadImage says that left the image to the kubelet.
const Unpinned = "a container uses it: no longer pinned, the kubelet removes it later"

func (a UnloadImage) describe() Description {
	return Description{Kind: "unload-image", Deed: "remove image " + a.Name}
}

// ImageName is the full name of an image, under which containerd's CRI plugin looks for it when
// a Pod, or the sandbox's setting, names it so: with the registry, docker.io unless it is said,
// and with a tag or digest; app:1 is docker.io/library/app:1. An image that lies on a host by
// another name is one that the kubelet does not find.
func ImageName(name string) (string, error) {
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return "", fmt.Errorf("%q is not an image's name: %w", name, err)
	}
	return named.String(), nil
}

// SameImageName tells whether two names are one image's.
func SameImageName(a, b string) bool {
	full, err := ImageName(a)
	other, otherErr := ImageName(b)
	return a == b || err == nil && otherErr == nil && full == other
}

var _ = register(StopPods{})

// StopPods stops and removes every Pod, container and task in containerd's k8s.io
// namespace, whether the kubelet runs or not.
type StopPods struct {
	// Only names the Pods of kube-system that are stopped, where not all are.
	Only []string `json:"only,omitempty"`
	// Grace is how many seconds each container has to end once it is asked to; 0: it is killed at
	// once, but for those of Pods that Only names.
	Grace int `json:"graceSeconds,omitempty"`
}

func (a StopPods) describe() Description {
	pods := "all Pods"
	if len(a.Only) > 0 {
		pods = strings.Join(a.Only, ", ")
	}
	return Description{Kind: "stop-pods", Deed: "stop and remove " + pods}
}

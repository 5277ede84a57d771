package hosts

import (
	"fmt"
	"strings"

	"github.com/distribution/reference"
)

var _ = register(LoadImage{})

// LoadImage puts an image into containerd's store, unpacks it and pins it.
type LoadImage struct {
	Reference string      `json:"reference"`
	Manifest  ImageBlob   `json:"manifest"`
	Blobs     []ImageBlob `json:"blobs"` // config and layers
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

var _ = register(StopPods{})

// StopPods stops and removes every Pod, container and task in containerd's k8s.io
// namespace, whether the kubelet runs or not.
type StopPods struct {
	// Only names the Pods of kube-system that are stopped, where not all are; each of their
	// containers is asked to end first, and has Grace seconds for it.
	Only  []string `json:"only,omitempty"`
	Grace int      `json:"graceSeconds,omitempty"`
}

func (a StopPods) describe() Description {
	pods := "all Pods"
	if len(a.Only) > 0 {
		pods = strings.Join(a.Only, ", ")
	}
	return Description{Kind: "stop-pods", Deed: "stop and remove " + pods}
}

package hosts

import (
	"fmt"

	"github.com/distribution/reference"
)

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

package view

import (
	"slices"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/hosts"
)

// OwnImage is what there is of one of the user's own images for one platform.
type OwnImage struct {
	Load hosts.LoadImage
	// Platform is the zero value where the image does not say what it is for.
	Platform bundle.Platform
}

// References are the images' names, each once.
func References(images []OwnImage) []string {
	var names []string
	for _, image := range images {
		if !slices.Contains(names, image.Load.Reference) {
			names = append(names, image.Load.Reference)
		}
	}
	return names
}

// alsoRuns are the architectures whose programs another one's processors and kernel run
// too, as containerd has it.
var alsoRuns = map[string]string{"amd64": "386", "arm64": "arm"}

// ImageFor finds what there is of an image for hosts of an architecture: for that, for one
// that it runs too, or for one that is not said.
func ImageFor(images []OwnImage, reference, arch string) (hosts.LoadImage, bool) {
	for _, wanted := range []bundle.Platform{{OS: "linux", Arch: arch}, {OS: "linux", Arch: alsoRuns[arch]}, {}} {
		for _, image := range images {
			if image.Load.Reference == reference && image.Platform == wanted {
				return image.Load, true
			}
		}
	}
	return hosts.LoadImage{}, false
}

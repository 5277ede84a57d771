package manifests

import (
	"fmt"

	"github.com/slipway-k8s/slipway/cluster"
)

// The images' names in the bill.
const (
	imageEtcd       = "etcd"
	imageAPIServer  = "kube-apiserver"
	imageController = "kube-controller-manager"
	imageScheduler  = "kube-scheduler"
	imageProxy      = "kube-proxy"
	imageCoreDNS    = "coredns/coredns"
	imagePause      = "pause"
	imageFlannel    = "flannel"
)

// image finds an image of the bundle and gives it the name that it has in this cluster.
func (in Input) image(name string) (Image, error) {
	found, ok := in.Bill.Image(name)
	if !ok {
		return Image{}, fmt.Errorf("find image %s: it is not in the bundle", name)
	}
	return Image{Reference: found.Reference(in.Cluster.ImageRepository), Image: found}, nil
}

func (in Input) reference(name string) (string, error) {
	image, err := in.image(name)
	return image.Reference, err
}

// imageNames are the images that a host's containers may need, in the order in which it will
// ask for them.
func imageNames(c *cluster.Cluster, host cluster.Host) []string {
	if !host.IsNode() {
		return nil
	}
	names := []string{imagePause}
	if host.HasRole(cluster.RoleControlPlane) {
		if c.StackedEtcd() {
			names = append(names, imageEtcd)
		}
		names = append(names, imageAPIServer, imageController, imageScheduler)
	}
	if c.Networking.AddOn == cluster.AddOnFlannel {
		names = append(names, imageFlannel)
	}
	return append(names, imageProxy, imageCoreDNS)
}

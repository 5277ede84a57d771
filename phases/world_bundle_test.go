package phases

import (
	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/manifests"
	"github.com/slipway-k8s/slipway/phases/plan"
)

// testVersion is that of all that is in the first bundle, nextVersion of what changes in the next.
const testVersion, nextVersion = "v1", "v2"

// balancerPrograms are those of the load balancer's root directory.
var balancerPrograms = []string{"usr/sbin/haproxy", "usr/sbin/keepalived", "usr/sbin/nft", "usr/bin/endpoint"}

// testBill is a bundle with all that the manifests ask for, and nothing in it.
func testBill() (bundle.Bill, map[string][]byte) {
	blobs := map[string][]byte{}
	blob := func(content string) bundle.Blob {
		ref := plan.Ref([]byte(content))
		blobs[ref] = []byte(content)
		return bundle.Blob{Digest: ref, Size: int64(len(content)), MediaType: "application/octet-stream"}
	}
	bill := bundle.Bill{
		APIVersion: bundle.APIVersion, KubernetesVersion: cluster.DefaultKubernetesVersion, Platform: bundle.Platform{OS: "linux", Arch: "amd64"},
		Components: []bundle.Component{
			{Name: "cni-install"}, {Name: "cni-await"}, {Name: "etcd", Version: etcdVersions[false], Features: []string{bundle.FeatureStartGuard}},
		},
	}
	shared := blob("the kube layer")
	for _, name := range []string{
		"pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "flannel", "coredns/coredns",
	} {
		bill.Images = append(bill.Images, bundle.Image{
			Name: name, Tag: testVersion, Manifest: blob("manifest " + name), Config: blob("config " + name),
			Layers: []bundle.Blob{shared, blob("layer " + name)},
		})
	}
	bill.Sets = []bundle.FileSet{
		testSet(bundle.SetNode, testVersion, shared, []string{"containerd", "runc", "kube", "bridge"}, nodeLeads()),
		testSet(bundle.SetControlPlane, testVersion, blob("the etcd layer"), []string{"etcdctl"}, []bundle.Lead{{Path: manifests.BinFolder + "/etcdctl", File: "etcdctl"}}),
		testSet(bundle.SetLoadBalancer, testVersion, blob("the load balancer's root"), balancerPrograms, nil),
	}
	bill.Sets[2].Root = bundle.Folders(bill.Sets[2:])[0]
	return bill, blobs
}

func nodeLeads() []bundle.Lead {
	return []bundle.Lead{
		{Path: manifests.Containerd, File: "containerd"}, {Path: manifests.Runc, File: "runc"}, {Path: manifests.Kube, File: "kube"},
		{Path: manifests.KubeletBinary, File: "kube"}, {Path: manifests.CNIBinFolder + "/bridge", File: "bridge", Copy: true},
	}
}

func balancerRoot(bill bundle.Bill) string {
	set, _ := bill.Set(bundle.SetLoadBalancer)
	return set.Root
}

func testSet(name, version string, layer bundle.Blob, files []string, leads []bundle.Lead) bundle.FileSet {
	part := bundle.Part{Component: name, Version: version}
	for _, path := range files {
		part.Files = append(part.Files, bundle.HostFile{
			Path: path, Layer: layer.Digest, Entry: path, Digest: plan.Ref([]byte(path)), Size: 1, Mode: 0o755,
		})
	}
	for i := range leads {
		leads[i].Component = name
	}
	set := bundle.NewSet(name, []bundle.Part{part}, leads)
	set.Layers = []bundle.Blob{layer}
	return set
}

package bundle

import (
	"slices"
	"strings"
	"testing"
)

func TestReferenceIsTheNameThatKubeadmComputes(t *testing.T) {
	tests := []struct {
		name       string
		image      Image
		repository string
		want       string
	}{
		{"default", Image{Name: "kube-apiserver", Tag: "v1.36.3"}, DefaultImageRepository, "registry.k8s.io/kube-apiserver:v1.36.3"},
		{"own repository", Image{Name: "etcd", Tag: "3.6.16-0"}, "r.example:5000/k8s", "r.example:5000/k8s/etcd:3.6.16-0"},
		{"coredns has a folder in the default", Image{Name: "coredns/coredns", Tag: "v1.14.2"}, DefaultImageRepository, "registry.k8s.io/coredns/coredns:v1.14.2"},
		{"and in no other", Image{Name: "coredns/coredns", Tag: "v1.14.2"}, "r.example/k8s", "r.example/k8s/coredns:v1.14.2"},
		{"unknown to kubeadm", Image{Name: "flannel", Tag: "v0.28.4", Repository: "ghcr.io/flannel-io"}, "r.example/k8s", "ghcr.io/flannel-io/flannel:v0.28.4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.image.Reference(test.repository); got != test.want {
				t.Errorf("Reference(%q) = %s, want %s", test.repository, got, test.want)
			}
		})
	}
}

func blob(digest string) Blob { return Blob{Digest: "sha256:" + digest, Size: 1} }

// shared is a bill in which an image and a set have a layer in common.
var shared = Bill{
	KubernetesVersion: "v1.36.3",
	Platform:          Platform{OS: "linux", Arch: "amd64"},
	Images: []Image{
		{Name: "kube-proxy", Manifest: blob("m1"), Config: blob("c1"), Layers: []Blob{blob("base"), blob("kube")}},
		{Name: "pause", Manifest: blob("m2"), Config: blob("c2"), Layers: []Blob{blob("base")}},
	},
	Sets: []FileSet{{
		Name: SetNode, Layers: []Blob{blob("kube")},
		Files: []HostFile{{Path: "/kube", Component: "kubernetes", Layer: "sha256:kube"}, {Path: "/link", Component: "kubernetes", Target: "/kube"}},
	}},
	Documents: []Document{{Name: DocumentSBOM, Blob: blob("sbom")}},
}

func TestBlobsAreEachNamedOnce(t *testing.T) {
	var got []string
	for _, b := range shared.Blobs() {
		got = append(got, b.Digest)
	}
	want := []string{"sha256:m1", "sha256:c1", "sha256:base", "sha256:kube", "sha256:m2", "sha256:c2", "sha256:sbom"}
	if !slices.Equal(got, want) {
		t.Errorf("Blobs() = %v, want %v", got, want)
	}
}

func TestOwnersNameAllThatABlobIsPartOf(t *testing.T) {
	if got, want := shared.Owners("sha256:kube"), []string{"image kube-proxy", "set node"}; !slices.Equal(got, want) {
		t.Errorf("Owners = %v, want %v", got, want)
	}
	if got, want := shared.ComponentsOf("sha256:kube"), []string{"kubernetes"}; !slices.Equal(got, want) {
		t.Errorf("ComponentsOf = %v, want %v", got, want)
	}
	if got := shared.Owners("sha256:none"); got != nil {
		t.Errorf("Owners of a stranger = %v", got)
	}
}

func TestAnotherPlatformOrVersionIsRefused(t *testing.T) {
	if err := shared.Runs(Platform{"linux", "amd64"}); err != nil {
		t.Errorf("its own platform: %v", err)
	}
	if err := shared.Runs(Platform{"linux", "arm64"}); err == nil || !strings.Contains(err.Error(), "the host is linux/arm64") {
		t.Errorf("another architecture: %v", err)
	}
	if err := shared.Serves("v1.36.3"); err != nil {
		t.Errorf("its own version: %v", err)
	}
	if err := shared.Serves("v1.36.2"); err == nil || !strings.Contains(err.Error(), "wanted is v1.36.2") {
		t.Errorf("another version: %v", err)
	}
}

package main_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/cluster"
	"github.com/slipway-k8s/slipway/hosts/hosttest"
	"github.com/slipway-k8s/slipway/manifests"
)

// olderVersion is of the minor version before the default one.
const olderVersion = "v1.36.3"

// placeBundles puts signed bundles into a script's work folder, bundle.tar and, of an older version,
// older.tar: all that the manifests ask for, and nothing that could run. signer.pub is whose
// signature they have, stranger.pub is another's.
func placeBundles(dir string) error {
	var key ed25519.PrivateKey
	for _, name := range []string{"stranger.pub", "signer.pub"} {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return err
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644); err != nil {
			return err
		}
		key = private
	}
	for file, version := range map[string]string{"bundle.tar": cluster.DefaultKubernetesVersion, "older.tar": olderVersion} {
		content := madeUpBundle(version)
		content.SignKey = key
		if _, err := archive.Write(filepath.Join(dir, file), content, nil); err != nil {
			return err
		}
	}
	return nil
}

// placeImage puts an image of the user's own into a script's work folder.
func placeImage(dir string) error {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64", RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return err
	}
	return tarball.WriteToFile(filepath.Join(dir, "app.tar"), name.MustParseReference("example.com/app:1"), image)
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func descriptor(b bundle.Blob) map[string]any {
	return map[string]any{"mediaType": b.MediaType, "digest": b.Digest, "size": b.Size}
}

// madeUpBundle is one of a version; no layer and no image of it is in that of another version.
func madeUpBundle(version string) archive.Content {
	blobs := map[string]string{}
	blob := func(content string) bundle.Blob {
		blobs[digestOf(content)] = content
		return bundle.Blob{Digest: digestOf(content), Size: int64(len(content)), MediaType: "application/octet-stream"}
	}
	set := func(name string, files []string, leads ...bundle.Lead) bundle.FileSet {
		layer := blob("the layer of " + name + " " + version)
		part := bundle.Part{Component: name}
		for _, path := range files {
			part.Files = append(part.Files, bundle.HostFile{
				Path: path, Component: name, Layer: layer.Digest, Entry: path, Digest: digestOf(path + version), Size: 1, Mode: 0o755,
			})
		}
		for i := range leads {
			leads[i].Component = name
		}
		made := bundle.NewSet(name, []bundle.Part{part}, leads)
		made.Layers, made.Root = []bundle.Blob{layer}, bundle.Folders([]bundle.FileSet{made})[0]
		return made
	}
	bill := bundle.Bill{
		APIVersion: bundle.APIVersion, SlipwayVersion: hosttest.Version, KubernetesVersion: version,
		Platform: bundle.Platform{OS: "linux", Arch: "amd64"}, Source: "source",
		Components: []bundle.Component{
			{Name: "kubernetes", Version: version}, {Name: "cni-install"}, {Name: "cni-await"}, {Name: "etcd", Features: []string{bundle.FeatureStartGuard}},
		},
		Sets: []bundle.FileSet{
			set(bundle.SetNode, []string{"containerd", "runc", "kube", "bridge"},
				bundle.Lead{Path: manifests.Containerd, File: "containerd"}, bundle.Lead{Path: manifests.Runc, File: "runc"},
				bundle.Lead{Path: manifests.Kube, File: "kube"}, bundle.Lead{Path: manifests.KubeletBinary, File: "kube"},
				bundle.Lead{Path: manifests.CNIBinFolder + "/bridge", File: "bridge", Copy: true}),
			set(bundle.SetControlPlane, []string{"etcdctl"}, bundle.Lead{Path: manifests.BinFolder + "/etcdctl", File: "etcdctl"}),
			set(bundle.SetLoadBalancer, []string{"usr/sbin/haproxy", "usr/sbin/keepalived", "usr/sbin/nft", "usr/bin/endpoint"}),
		},
	}
	for _, name := range []string{
		"pause", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "flannel", "coredns/coredns",
	} {
		layer, config := blob("layer "+name+version), blob(`{"architecture":"amd64","os":"linux","config":{"Labels":{"of":"`+name+version+`"}}}`)
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": ocispec.MediaTypeImageManifest, "config": descriptor(config), "layers": []any{descriptor(layer)},
		})
		if err != nil {
			panic(err)
		}
		image := bundle.Image{Name: name, Tag: version, Manifest: blob(string(manifest)), Config: config, Layers: []bundle.Blob{layer}}
		image.Manifest.MediaType = ocispec.MediaTypeImageManifest
		bill.Images = append(bill.Images, image)
	}
	return archive.Content{Bill: bill, Open: func(digest string) (io.ReadCloser, error) {
		content, there := blobs[digest]
		if !there {
			return nil, fmt.Errorf("the made-up bundle has no %s", digest)
		}
		return io.NopCloser(bytes.NewReader([]byte(content))), nil
	}}
}

package workflow

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/slipway-k8s/slipway/bundle"
	"github.com/slipway-k8s/slipway/bundle/archive"
	"github.com/slipway-k8s/slipway/cluster"
)

// TestAFileWithoutAVersionMeansTheBundles: who names a bundle need not say its version twice. What
// the file says counts, and a bundle that cannot be installed changes nothing: a check tells of it.
func TestAFileWithoutAVersionMeansTheBundles(t *testing.T) {
	const file = "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: example\nhosts: [{name: cp-1, address: 192.0.2.11, roles: [control-plane]}]\n"
	minors := cluster.Minors()
	older := minors[len(minors)-1].Name + ".9"
	for name, test := range map[string]struct{ file, bundle, want string }{
		"no bundle":                {file: file, want: cluster.DefaultKubernetesVersion},
		"an older bundle":          {file: file, bundle: older, want: older},
		"a version in the file":    {file: file + "kubernetesVersion: " + cluster.DefaultKubernetesVersion + "\n", bundle: older, want: cluster.DefaultKubernetesVersion},
		"a bundle that is too old": {file: file, bundle: "v1.20.0", want: cluster.DefaultKubernetesVersion},
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{File: "cluster.yaml", Data: []byte(test.file)}
			if test.bundle != "" {
				options.Bundle = emptyBundle(t, test.bundle)
			}
			s, err := Open(options, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if s.cluster.KubernetesVersion != test.want {
				t.Errorf("got %s, want %s", s.cluster.KubernetesVersion, test.want)
			}
		})
	}
}

// TestTheFileMustFitTheBundlesVersion: what a version does not have yet is refused as if the file
// said that version.
func TestTheFileMustFitTheBundlesVersion(t *testing.T) {
	file := "apiVersion: slipway.dev/v1alpha1\nkind: Cluster\nname: example\nhosts: [{name: cp-1, address: 192.0.2.11, roles: [control-plane]}]\n" +
		"---\napiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ndefaultPodSysctls: {net.ipv4.ip_forward: \"1\"}\n"
	_, err := Open(Options{File: "cluster.yaml", Data: []byte(file), Bundle: emptyBundle(t, "v1.36.3")}, nil)
	if invalid := new(cluster.Invalid); !errors.As(err, &invalid) {
		t.Errorf("want the field refused, got %v", err)
	}
}

// emptyBundle is a bundle of a Kubernetes version with nothing in it.
func emptyBundle(t *testing.T, kubernetes string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bundle.tar")
	_, err := archive.Write(path, archive.Content{
		Bill: bundle.Bill{APIVersion: bundle.APIVersion, KubernetesVersion: kubernetes, Platform: bundle.Platform{OS: "linux", Arch: "amd64"}},
		Open: func(string) (io.ReadCloser, error) { return nil, os.ErrNotExist },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

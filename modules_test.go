package slipway_test

import (
	"os"
	"testing"

	"golang.org/x/mod/modfile"
)

// apart are modules that may differ: no program for a host, and no library in one, is compiled of them.
var apart = map[string]string{
	"github.com/Microsoft/go-winio": "Windows alone",
	"golang.org/x/tools":            "tests alone",
	"github.com/coredns/caddy":      "of Kubernetes kubeadm alone compiles it, which is in no bundle",
}

// TestWhatIsSharedHasOneVersion: what Slipway, Kubernetes and the add-ons share is compiled once
// only where it and all that it is made of have the same versions.
func TestWhatIsSharedHasOneVersion(t *testing.T) {
	kube := requirements(t, "bundle/components/kube/go.mod")
	for _, path := range []string{"go.mod", "bundle/components/addons/go.mod"} {
		shared := 0
		for module, version := range requirements(t, path) {
			other, both := kube[module]
			if !both || apart[module] != "" {
				continue
			}
			shared++
			if other != version {
				t.Errorf("%s has %s %s, Kubernetes has %s", path, module, version, other)
			}
		}
		if shared < 50 {
			t.Errorf("%s shares %d modules with Kubernetes: what is compared is wrong", path, shared)
		}
	}
}

func requirements(t *testing.T, path string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, required := range file.Require {
		versions[required.Mod.Path] = required.Mod.Version
	}
	return versions
}
